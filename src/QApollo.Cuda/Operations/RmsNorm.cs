using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/rmsnorm.cu.
public sealed unsafe partial class CudaDevice
{
    private static readonly Kernel NormForward = new("rmsnorm", "rmsnorm_forward", 256, 7);
    private static readonly Kernel NormBackward = new("rmsnorm", "rmsnorm_backward", 256, 10);
    private static readonly Kernel NormWeightGradient = new("rmsnorm", "rmsnorm_weight_gradient", 128, 5);

    public void RmsNormForward(Tensor input, Tensor weight, float epsilon, Tensor output, Tensor inverseRms) => Launch(
        NormForward, input.Rows, input, weight, output, inverseRms, input.Columns, epsilon, HaveVectorRows(input, weight, output));

    public void RmsNormBackward(
        Tensor outputGradient, Tensor input, Tensor weight, Tensor inverseRms,
        Tensor inputGradient, bool accumulateInput, Tensor weightGradient, bool accumulateWeight)
    {
        int blocks = Math.Min(input.Rows, CudaProfile.NormPartials);
        Launch(
            NormBackward, (blocks, 1, 1), (int)Ceiling(input.Columns, 2048) * 2080 * sizeof(float), outputGradient, input, weight, inverseRms, inputGradient, _workspace,
            input.Rows, input.Columns, accumulateInput, HaveVectorRows(outputGradient, input, weight, inputGradient));
        Launch(
            NormWeightGradient, Ceiling(input.Columns, NormWeightGradient.Threads), _workspace, weightGradient, blocks, input.Columns, accumulateWeight);
    }
}
