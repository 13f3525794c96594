using QApollo.Devices;

namespace QApollo.Cuda;

/// <summary>
/// What the memory plan must know of a CUDA device; needs no driver. Activations and logits are BF16: tensor cores
/// take nothing wider at full speed, and a chunk of F32 logits would be the largest buffer of the step.
/// </summary>
/// <param name="usesCublasLt">Whether cuBLASLt may compute products: it needs dense weights and a workspace.</param>
/// <param name="usesNccl">Whether gradients are summed between cards: NCCL has buffers of its own on each.</param>
public sealed class CudaProfile(bool usesCublasLt = false, bool usesNccl = false) : DeviceProfile
{
    /// <summary>Blocks of the RMSNorm backward kernel; each leaves one row of partial weight gradients.</summary>
    internal const int NormPartials = 256;

    /// <summary>Reductions with a choice of how many partial sums they leave keep them within this many bytes.</summary>
    internal const long ReductionBytes = 2 << 20;

    /// <summary>For cuBLASLt's partial sums.</summary>
    internal const int ProductWorkspaceBytes = 8 << 20;

    public override string Name => "cuda";

    public override DType ActivationDType => DType.BF16;

    public override DType LogitDType => DType.BF16;

    /// <summary>4 MiB (NCCL_BUFFSIZE) to send and to receive, for up to 32 channels of a ring; an assumption until a card has shown it.</summary>
    internal const long NcclBytes = 32 * 2 * (4L << 20);

    public override long ContextBytes => 350_000_000 + (usesNccl ? NcclBytes : 0);

    public override bool SharesExpansions => true;

    /// <summary>BF16 values for cuBLASLt; 0 without it: the own products dequantize codes on their way to the tensor cores.</summary>
    public override long ExpandedWeightBytes(int outFeatures, int inFeatures, WeightUse use) =>
        usesCublasLt ? (long)outFeatures * inFeatures * sizeof(ushort) : 0;

    /// <summary>
    /// The largest of: partial weight gradients of RMSNorm; product and square of every column, for APOLLO's projection;
    /// partial sums of the other reductions; those of cuBLASLt, where it is used.
    /// </summary>
    public override long WorkspaceBytes(in WorkspaceRequest request)
    {
        long norm = (long)NormPartials * request.HiddenSize * sizeof(float);
        long columns = 2L * request.MaxFeatures * sizeof(float);
        long own = Math.Max(ReductionBytes, Math.Max(norm, columns));
        return usesCublasLt ? Math.Max(own, ProductWorkspaceBytes) : own;
    }
}
