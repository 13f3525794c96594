using QApollo.Cpu.Gemm;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>The scratch memory of one thread at attention: where everything lies, and so how much there is.</summary>
internal readonly unsafe struct AttentionScratch
{
    /// <summary>Query rows per block of the forward pass: a multiple of every kernel's tile.</summary>
    public const int ForwardRows = 48;

    /// <summary>Query rows per block of the backward pass: the depth of two products, so more pays.</summary>
    public const int BackwardRows = 96;

    /// <summary>Keys per block of the backward pass: what is kept of them and of the scores fits into the second-level cache.</summary>
    public const int BackwardKeys = 256;

    private AttentionScratch(byte* start, int rows, int keys, int headDim)
    {
        int paddedKeys = PackedMatrix.Round(keys, Microkernel.MaxColumns);
        int features = PackedMatrix.Round(headDim, Microkernel.MaxColumns);

        // An odd number of cache lines between rows, and room for the last tile's width.
        ScoreStride = paddedKeys + 16;
        float* next = (float*)start;
        KeysTransposed = Take(ref next, (nint)paddedKeys * headDim);
        ValuesTransposed = Take(ref next, (nint)paddedKeys * headDim);
        KeysOrValues = Take(ref next, (nint)keys * features);
        QueryCopy = Take(ref next, rows * headDim);
        GradientCopy = Take(ref next, rows * headDim);
        Queries = Take(ref next, rows * features);
        Gradients = Take(ref next, rows * features);
        Scores = Take(ref next, rows * ScoreStride);
        ScoreGradients = Take(ref next, rows * ScoreStride);
        Bytes = (byte*)next - start;
    }

    public static AttentionScratch Forward(in AttentionShape shape, byte* start) =>
        new(start, ForwardRows, shape.KeyLength, shape.HeadDim);

    public static AttentionScratch Backward(in AttentionShape shape, byte* start) =>
        new(start, BackwardRows, BackwardKeys, shape.HeadDim);

    /// <summary>Bytes of scratch memory per thread.</summary>
    public long Bytes { get; }

    /// <summary>Elements between rows of scores.</summary>
    public int ScoreStride { get; }

    /// <summary>Packed Kᵀ.</summary>
    public float* KeysTransposed { get; }

    /// <summary>Packed Vᵀ; backward only.</summary>
    public float* ValuesTransposed { get; }

    /// <summary>Backward: packed K; forward: packed V.</summary>
    public float* KeysOrValues { get; }

    /// <summary>A block of scaled query rows.</summary>
    public float* QueryCopy { get; }

    /// <summary>A block of rows of the output's gradient.</summary>
    public float* GradientCopy { get; }

    /// <summary>Packed <see cref="QueryCopy"/>.</summary>
    public float* Queries { get; }

    /// <summary>Packed <see cref="GradientCopy"/>.</summary>
    public float* Gradients { get; }

    /// <summary>[rows, ScoreStride]: scores, then probabilities.</summary>
    public float* Scores { get; }

    /// <summary>[rows, ScoreStride]: gradients of the scores.</summary>
    public float* ScoreGradients { get; }

    private static float* Take(ref float* next, nint elements)
    {
        float* taken = next;
        next += (elements + 63) / 64 * 64;
        return taken;
    }
}
