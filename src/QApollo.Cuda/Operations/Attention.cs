using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/attention_forward.h and Kernels/attention_backward.h, a file each for whole sequences, within documents, and for heads that cp.async
// does not take; attention_delta.cu.
public sealed unsafe partial class CudaDevice
{
    /// <summary>Features that the kernels are built for; a head is padded to the next.</summary>
    private static readonly int[] HeadSizes = [16, 32, 48, 64, 80, 128];

    private const int AttentionTile = 64;

    private static readonly AttentionKernels ForwardAttention = new("attention_forward", "", 11);
    private static readonly AttentionKernels KeyValueGradient = new("attention_backward", "_kv", 13);
    private static readonly AttentionKernels QueryGradient = new("attention_backward", "_q", 12);
    private static readonly Kernel AttentionDelta = new("attention_delta", "attention_delta", 256, 6);

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">Heads of more than 128 features.</exception>
    public void AttentionForward(
        Tensor query, Tensor key, Tensor value, in AttentionShape shape, Tensor output, Tensor logSumExp, Tensor documentStarts = default)
    {
        int size = HeadSizeIndex(shape);
        int padded = HeadSizes[size];
        int keysInTile = padded > 80 ? 32 : 64;
        int sharedBytes = 2 * keysInTile * RowElements(padded) * sizeof(ushort);
        var grid = (Ceiling(shape.QueryLength, AttentionTile), shape.Heads, shape.Batch);
        LaunchAttention(
            ForwardAttention.Choose(size, CanCopyHeads(shape, query, key, value), documentStarts), grid, sharedBytes, documentStarts, query, key, value,
            output, logSumExp, shape.QueryLength, shape.KeyLength, shape.Heads, shape.KeyValueHeads, shape.HeadDim, shape.Scale);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">Heads of more than 128 features.</exception>
    public void AttentionBackward(
        Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor outputGradient, in AttentionShape shape,
        Tensor delta, Tensor queryGradient, Tensor keyGradient, Tensor valueGradient, Tensor documentStarts = default)
    {
        int size = HeadSizeIndex(shape);
        int sharedBytes = (2 * AttentionTile + 4 * 32) * RowElements(HeadSizes[size]) * sizeof(ushort) + 4 * 32 * sizeof(float);
        long tiles = Ceiling(shape.QueryLength, AttentionTile);
        bool canCopy = CanCopyHeads(shape, query, key, value) && IsAligned(outputGradient.Address);
        Launch(
            AttentionDelta, Ceiling((long)shape.QueryRows * shape.Heads, AttentionDelta.Threads / 32), output, outputGradient, delta,
            shape.QueryRows, shape.Heads, shape.HeadDim);
        LaunchAttention(
            KeyValueGradient.Choose(size, canCopy, documentStarts), (tiles, shape.KeyValueHeads, shape.Batch), sharedBytes, documentStarts, query,
            key, value, logSumExp, outputGradient, delta, keyGradient, valueGradient, shape.QueryLength, shape.Heads, shape.KeyValueHeads,
            shape.HeadDim, shape.Scale);
        LaunchAttention(
            QueryGradient.Choose(size, canCopy, documentStarts), (tiles, shape.Heads, shape.Batch), sharedBytes, documentStarts, query, key, value,
            logSumExp, outputGradient, delta, queryGradient, shape.QueryLength, shape.Heads, shape.KeyValueHeads, shape.HeadDim, shape.Scale);
    }

    /// <summary>Kernels that know documents take one argument more: where those start, or null.</summary>
    private void LaunchAttention(
        Kernel kernel, (long X, int Y, int Z) grid, int sharedBytes, Tensor documentStarts, params ReadOnlySpan<KernelArgument> arguments)
    {
        Span<KernelArgument> all = stackalloc KernelArgument[arguments.Length + 1];
        arguments.CopyTo(all);
        all[^1] = documentStarts;
        Launch(kernel, grid, sharedBytes, all[..kernel.Parameters]);
    }

    /// <summary>Elements that a row of a tile takes in shared memory.</summary>
    private static int RowElements(int headSize) => headSize % 64 == 0 ? headSize + 8 : headSize;

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

    /// <summary>The forms of one kernel, each for every head size: of whole sequences, within documents, and of heads that do not start at multiples of 16 bytes.</summary>
    /// <param name="parameters">Without those of documents.</param>
    private sealed class AttentionKernels(string module, string name, int parameters)
    {
        private readonly Kernel[] _whole = PerHeadSize(module, name, parameters);
        private readonly Kernel[] _masked = PerHeadSize($"{module}_masked", name, parameters + 1);
        private readonly Kernel[] _any = PerHeadSize($"{module}_any", name, parameters + 1);

        public IEnumerable<Kernel> All => [.. _whole, .. _masked, .. _any];

        public Kernel Choose(int size, bool canCopy, Tensor documentStarts) =>
            (!canCopy ? _any : documentStarts.IsAbsent ? _whole : _masked)[size];

        private static Kernel[] PerHeadSize(string module, string name, int parameters) =>
            Array.ConvertAll(HeadSizes, size => new Kernel(module, $"{module}{name}_{size}", 128, parameters));
    }
}
