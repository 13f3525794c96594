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

    /// <summary>The shape of the operation that follows, when it is a matrix product; not of one that reads INT8 codes as they are.</summary>
    void OnProduct(in ProductShape product)
    {
    }
}
