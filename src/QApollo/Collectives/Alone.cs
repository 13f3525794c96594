namespace QApollo.Collectives;

/// <summary>A run of one process.</summary>
public sealed class Alone : ICommunicator
{
    private Alone()
    {
    }

    public static Alone Instance { get; } = new();

    public int Rank => 0;

    public int Size => 1;

    public string Description => "one process";

    public void AllToAll(ReadOnlySpan<byte> source, Span<byte> destination) => source.CopyTo(destination);

    public void AllGather(ReadOnlySpan<byte> source, Span<byte> destination) => source.CopyTo(destination);

    public void Broadcast(Span<byte> bytes, int root)
    {
    }

    public void Barrier()
    {
    }

    public void Abort(int exitCode)
    {
    }

    public void Dispose()
    {
    }
}
