using QApollo.Cpu.Gemm;
using QApollo.Cpu.Operations;
using QApollo.Devices;

namespace QApollo.Cpu;

/// <summary>Sizes and dtypes of <see cref="CpuDevice"/>. They depend on the number of threads, not on the machine.</summary>
/// <param name="threads">Threads of the device.</param>
public sealed class CpuProfile(int threads) : DeviceProfile
{
    public int Threads { get; } = threads;

    public override string Name => "cpu";

    public override DType ActivationDType => DType.F32;

    public override DType LogitDType => DType.F32;

    public override bool ComputesInHostMemory => true;

    public override long ExpandedWeightBytes(int outFeatures, int inFeatures, WeightUse use) => use == WeightUse.Forward
        ? PackedMatrix.Bytes(inFeatures, outFeatures)
        : PackedMatrix.Bytes(outFeatures, inFeatures);

    public override long WorkspaceBytes(in WorkspaceRequest request)
    {
        AttentionShape attention = request.Attention;
        long bytes = Math.Max(Product.WorkspaceBytes(Threads), RmsNorm.WorkspaceBytes(request.HiddenSize));
        return Math.Max(bytes, Threads * Attention.ThreadWorkspaceBytes(attention));
    }
}
