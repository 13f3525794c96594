using QApollo.Devices;

namespace QApollo.Cuda;

/// <summary>
/// What the memory plan must know of a CUDA device; needs no driver. Activations and logits are BF16: tensor cores
/// take nothing wider at full speed, and a chunk of F32 logits would be the largest buffer of the step.
/// </summary>
public sealed class CudaProfile : DeviceProfile
{
    /// <summary>Blocks of the RMSNorm backward kernel; each leaves one row of partial weight gradients.</summary>
    internal const int NormPartials = 256;

    /// <summary>Partial sums of any other reduction fit into this many bytes, whatever the shapes.</summary>
    internal const long ReductionBytes = 2 << 20;

    public override string Name => "cuda";

    public override DType ActivationDType => DType.BF16;

    public override DType LogitDType => DType.BF16;

    public override long ContextBytes => 350_000_000;

    /// <summary>Always 0: the products dequantize codes on their way to the tensor cores.</summary>
    public override long ExpandedWeightBytes(int outFeatures, int inFeatures, WeightUse use) => 0;

    public override long WorkspaceBytes(in WorkspaceRequest request) =>
        Math.Max(ReductionBytes, (long)NormPartials * request.HiddenSize * sizeof(float));
}
