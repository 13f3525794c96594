using QApollo.Devices;

namespace QApollo.Collectives;

/// <summary>
/// Host memory through which gradients travel, a chunk at a time: what goes to the other ranks and what comes from them, as F32 and,
/// where any gradient travels as BF16, as that too (absent otherwise).
/// </summary>
public readonly record struct ExchangeBuffers(Tensor Values, Tensor Received, Tensor Narrow, Tensor NarrowReceived)
{
    /// <summary>Elements of a gradient that travel at a time.</summary>
    public const int ChunkElements = 1 << 20;

    /// <summary>Elements of each buffer: a chunk in equal pieces, one for each rank.</summary>
    public static int ElementsFor(int ranks) => PieceOf(ChunkElements, ranks) * ranks;

    /// <summary>Elements of a chunk that a rank adds up.</summary>
    internal static int PieceOf(int count, int ranks) => (count + ranks - 1) / ranks;
}
