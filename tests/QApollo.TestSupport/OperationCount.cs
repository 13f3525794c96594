using QApollo.Devices;

namespace QApollo.TestSupport;

/// <summary>How often an operation was begun; another thread may look.</summary>
public sealed class OperationCount(string name) : IOperationObserver
{
    private volatile int _count;

    public int Count
    {
        get => _count;
        set => _count = value;
    }

    public void OnOperation(string operation, ReadOnlySpan<Access> accesses) => _count += operation == name ? 1 : 0;
}
