using QApollo.Cpu.Gemm;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>The scratch memory of one thread at attention: where everything lies, and so how much there is.</summary>
internal readonly unsafe struct AttentionScratch
{
    /// <summary>Query rows per block: a multiple of every kernel's tile.</summary>
    public const int BlockRows = 48;

    public AttentionScratch(in AttentionShape shape, byte* start)
    {
        nint keys = PackedMatrix.Round(shape.KeyLength, Microkernel.MaxColumns);
        nint features = PackedMatrix.Round(shape.HeadDim, Microkernel.MaxColumns);

        // An odd number of cache lines between rows, and room for the last tile's width.
        ScoreStride = (int)keys + 16;
        float* next = (float*)start;
        KeysTransposed = Take(ref next, keys * shape.HeadDim);
        ValuesTransposed = Take(ref next, keys * shape.HeadDim);
        Keys = Take(ref next, shape.KeyLength * features);
        Values = Take(ref next, shape.KeyLength * features);
        QueryCopy = Take(ref next, BlockRows * shape.HeadDim);
        GradientCopy = Take(ref next, BlockRows * shape.HeadDim);
        Queries = Take(ref next, BlockRows * features);
        Gradients = Take(ref next, BlockRows * features);
        Scores = Take(ref next, BlockRows * ScoreStride);
        ScoreGradients = Take(ref next, BlockRows * ScoreStride);
        Bytes = (byte*)next - start;
    }

    /// <summary>Bytes of scratch memory per thread.</summary>
    public long Bytes { get; }

    /// <summary>Elements between rows of scores.</summary>
    public int ScoreStride { get; }

    /// <summary>Packed Kᵀ.</summary>
    public float* KeysTransposed { get; }

    /// <summary>Packed Vᵀ; backward only.</summary>
    public float* ValuesTransposed { get; }

    /// <summary>Packed K; backward only.</summary>
    public float* Keys { get; }

    /// <summary>Packed V; forward only.</summary>
    public float* Values { get; }

    /// <summary>A block of scaled query rows.</summary>
    public float* QueryCopy { get; }

    /// <summary>A block of rows of the output's gradient.</summary>
    public float* GradientCopy { get; }

    /// <summary>Packed <see cref="QueryCopy"/>.</summary>
    public float* Queries { get; }

    /// <summary>Packed <see cref="GradientCopy"/>.</summary>
    public float* Gradients { get; }

    /// <summary>[BlockRows, ScoreStride]: scores, then probabilities.</summary>
    public float* Scores { get; }

    /// <summary>[BlockRows, ScoreStride]: gradients of the scores.</summary>
    public float* ScoreGradients { get; }

    private static float* Take(ref float* next, nint elements)
    {
        float* taken = next;
        next += (elements + 63) / 64 * 64;
        return taken;
    }
}
