using QApollo.Devices;

namespace QApollo.Torch;

/// <summary>
/// What the memory plan must know of a Torch device; needs no libtorch. On a CPU it computes in F32; on CUDA activations
/// and logits are BF16, and sums F32.
/// </summary>
/// <param name="isCuda">Whether it computes on a GPU.</param>
public sealed class TorchProfile(bool isCuda = false) : DeviceProfile
{
    /// <summary>Temporaries of a slice. Also the device's own before it is given a workspace.</summary>
    internal const long SmallestWorkspace = (long)TorchContext.SliceElements * TorchContext.BytesPerElement;

    /// <summary>Bytes of one F32 slice of attention scores: queries of one head by their keys.</summary>
    internal const long ScoreBytes = 4 << 20;

    public bool IsCuda { get; } = isCuda;

    public override string Name => IsCuda ? "torch:cuda" : "torch";

    public override DType ActivationDType => IsCuda ? DType.BF16 : DType.F32;

    public override DType LogitDType => ActivationDType;

    /// <summary>
    /// CUDA: the driver's context with libtorch's kernels (about 0.5 GB), what its allocator keeps in reserve, and the
    /// workspace of cuBLAS (32 MiB on Hopper, 8 MiB elsewhere). Documented figures; not yet measured on a GPU.
    /// </summary>
    public override long ContextBytes => IsCuda ? 700_000_000 : 0;

    /// <summary>Of the demo model on a CPU 203 MiB were measured beside the arena, most of it libtorch's libraries.</summary>
    public override long HostRuntimeBytes => 256L << 20;

    public override bool ComputesInHostMemory => !IsCuda;

    public override bool SharesExpansions => true;

    /// <summary>The dense matrix in the type of the activations.</summary>
    public override long ExpandedWeightBytes(int outFeatures, int inFeatures, WeightUse use) => (long)outFeatures * inFeatures * ActivationDType.Size();

    /// <summary>The largest of: temporaries of a slice, which is at least one row; scores of a slice of attention and, where activations are BF16, its F32 operands.</summary>
    public override long WorkspaceBytes(in WorkspaceRequest request)
    {
        long row = (long)Math.Max(request.HiddenSize, request.MaxFeatures) * TorchContext.BytesPerElement;
        return Math.Max(Math.Max(SmallestWorkspace, row), AttentionBytes(request.Attention));
    }

    /// <summary>Queries that attention works on at a time.</summary>
    internal static int QueriesPerSlice(in AttentionShape shape) =>
        (int)Math.Clamp(ScoreBytes / sizeof(float) / Math.Max(1, shape.KeyLength), 1, Math.Max(1, shape.QueryLength));

    private static long AttentionBytes(in AttentionShape shape)
    {
        long queries = QueriesPerSlice(shape);
        long keys = shape.KeyLength;
        long squares = 3 * queries * keys + queries * queries;
        long keyRows = 4 * keys * (shape.HeadDim + 4L);
        long queryRows = 6 * queries * (shape.HeadDim + 4L);
        return (squares + keyRows + queryRows) * sizeof(float) + (64 << 10);
    }
}
