using QApollo.Collectives;

namespace QApollo.TestSupport.Collectives;

/// <summary>Ranks whose exchange of gradients a test watches, or holds up.</summary>
public sealed class ObservedRanks(ICommunicator inner) : ICommunicator
{
    public int Rank => inner.Rank;

    public int Size => inner.Size;

    public string Description => inner.Description;

    public bool ServesAnyThread { get; init; } = true;

    /// <summary>Called where the pieces of a gradient are exchanged.</summary>
    public Action? BeforeExchange { get; set; }

    /// <summary>The thread that exchanged last.</summary>
    public int Thread { get; private set; }

    public void AllToAll(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        Thread = Environment.CurrentManagedThreadId;
        BeforeExchange?.Invoke();
        inner.AllToAll(source, destination);
    }

    public void AllGather(ReadOnlySpan<byte> source, Span<byte> destination) => inner.AllGather(source, destination);

    public void Broadcast(Span<byte> bytes, int root) => inner.Broadcast(bytes, root);

    public void Barrier() => inner.Barrier();

    public void Abort(int exitCode) => inner.Abort(exitCode);

    public void Dispose()
    {
    }
}
