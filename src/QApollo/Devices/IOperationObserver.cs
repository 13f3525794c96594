namespace QApollo.Devices;

/// <summary>How an operation touches a buffer.</summary>
public enum AccessKind
{
    Read,

    /// <summary>Writes without reading: what was there before is dead.</summary>
    Write,

    ReadWrite,
}

/// <summary>One buffer of one operation.</summary>
public readonly record struct Access(Tensor Tensor, AccessKind Kind);

/// <summary>Sees every operation that passes through a <see cref="TracingDevice"/>, before it runs.</summary>
public interface IOperationObserver
{
    void OnOperation(string operation, ReadOnlySpan<Access> accesses);
}
