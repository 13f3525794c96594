using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/attention_forward.h and Kernels/attention_backward.h, a file each for whole sequences and within documents; attention_delta.cu.
public sealed unsafe partial class CudaDevice
{
    /// <summary>Features that the kernels are built for; a head is padded to the next.</summary>
    private static readonly int[] HeadSizes = [16, 32, 48, 64, 80, 128];

    private const int AttentionTile = 64;

    private static readonly Kernel[] AttentionForwardKernels = PerHeadSize("attention_forward", "attention_forward", 12);
    private static readonly Kernel[] AttentionForwardMasked = PerHeadSize("attention_forward_masked", "attention_forward_masked", 13);
    private static readonly Kernel[] AttentionKeyValueGradient = PerHeadSize("attention_backward", "attention_backward_kv", 14);
    private static readonly Kernel[] AttentionKeyValueGradientMasked = PerHeadSize("attention_backward_masked", "attention_backward_masked_kv", 15);
    private static readonly Kernel[] AttentionQueryGradient = PerHeadSize("attention_backward", "attention_backward_q", 13);
    private static readonly Kernel[] AttentionQueryGradientMasked = PerHeadSize("attention_backward_masked", "attention_backward_masked_q", 14);
    private static readonly Kernel AttentionDelta = new("attention_delta", "attention_delta", 256, 6);

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">Heads of more than 128 features.</exception>
    public void AttentionForward(
        Tensor query, Tensor key, Tensor value, in AttentionShape shape, Tensor output, Tensor logSumExp, Tensor documentStarts = default)
    {
        int size = HeadSizeIndex(shape);
        int padded = HeadSizes[size];
        int keysInTile = padded > 80 ? 32 : 64;
        int sharedBytes = 2 * keysInTile * (padded + 8) * sizeof(ushort);
        var grid = (Ceiling(shape.QueryLength, AttentionTile), shape.Heads, shape.Batch);
        LaunchAttention(
            (documentStarts.IsAbsent ? AttentionForwardKernels : AttentionForwardMasked)[size], grid, sharedBytes, documentStarts, query, key, value,
            output, logSumExp, shape.QueryLength, shape.KeyLength, shape.Heads, shape.KeyValueHeads, shape.HeadDim, shape.Scale,
            CanCopyHeads(shape, query, key, value));
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">Heads of more than 128 features.</exception>
    public void AttentionBackward(
        Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor outputGradient, in AttentionShape shape,
        Tensor delta, Tensor queryGradient, Tensor keyGradient, Tensor valueGradient, Tensor documentStarts = default)
    {
        int size = HeadSizeIndex(shape);
        int sharedBytes = (2 * AttentionTile + 4 * 32) * (HeadSizes[size] + 8) * sizeof(ushort) + 4 * 32 * sizeof(float);
        long tiles = Ceiling(shape.QueryLength, AttentionTile);
        bool canCopy = CanCopyHeads(shape, query, key, value) && IsAligned(outputGradient.Address);
        Launch(
            AttentionDelta, Ceiling((long)shape.QueryRows * shape.Heads, AttentionDelta.Threads / 32), output, outputGradient, delta,
            shape.QueryRows, shape.Heads, shape.HeadDim);
        LaunchAttention(
            (documentStarts.IsAbsent ? AttentionKeyValueGradient : AttentionKeyValueGradientMasked)[size], (tiles, shape.KeyValueHeads, shape.Batch),
            sharedBytes, documentStarts, query, key, value, logSumExp, outputGradient, delta, keyGradient, valueGradient, shape.QueryLength,
            shape.Heads, shape.KeyValueHeads, shape.HeadDim, canCopy, shape.Scale);
        LaunchAttention(
            (documentStarts.IsAbsent ? AttentionQueryGradient : AttentionQueryGradientMasked)[size], (tiles, shape.Heads, shape.Batch),
            sharedBytes, documentStarts, query, key, value, logSumExp, outputGradient, delta, queryGradient, shape.QueryLength, shape.Heads,
            shape.KeyValueHeads, shape.HeadDim, canCopy, shape.Scale);
    }

    /// <summary>The kernels within documents take one argument more: where those start.</summary>
    private void LaunchAttention(
        Kernel kernel, (long X, int Y, int Z) grid, int sharedBytes, Tensor documentStarts, params ReadOnlySpan<KernelArgument> arguments)
    {
        Span<KernelArgument> all = stackalloc KernelArgument[arguments.Length + 1];
        arguments.CopyTo(all);
        all[^1] = documentStarts;
        Launch(kernel, grid, sharedBytes, all[..kernel.Parameters]);
    }

    /// <summary>Whether every row of every head starts at a multiple of 16 bytes.</summary>
    private static bool CanCopyHeads(in AttentionShape shape, Tensor query, Tensor key, Tensor value) =>
        shape.HeadDim % VectorElements == 0 && AreAligned(query, key, value);

    private static int HeadSizeIndex(in AttentionShape shape)
    {
        for (int index = 0; index < HeadSizes.Length; index++)
        {
            if (HeadSizes[index] >= shape.HeadDim)
            {
                return index;
            }
        }

        throw new ArgumentException($"a head has {shape.HeadDim} features; the CUDA device takes up to {HeadSizes[^1]}");
    }

    private static Kernel[] PerHeadSize(string module, string name, int parameters) =>
        Array.ConvertAll(HeadSizes, size => new Kernel(module, $"{name}_{size}", 128, parameters));
}
