using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/rmsnorm.cu.
public sealed unsafe partial class CudaDevice
{
    private static readonly RowKernels NormForward = new("rmsnorm", "rmsnorm_forward", 256, 6);
    private static readonly RowKernels NormBackward = new("rmsnorm", "rmsnorm_backward", 256, 9);
    private static readonly Kernel NormWeightGradient = new("rmsnorm", "rmsnorm_weight_gradient", 128, 5);

    public void RmsNormForward(Tensor input, Tensor weight, float epsilon, Tensor output, Tensor inverseRms) => Launch(
        NormForward.Choose(HaveVectorRows(input, weight, output)), input.Rows, input, weight, output, inverseRms, input.Columns, epsilon);

    public void RmsNormBackward(
        Tensor outputGradient, Tensor input, Tensor weight, Tensor inverseRms,
        Tensor inputGradient, bool accumulateInput, Tensor weightGradient, bool accumulateWeight)
    {
        int blocks = Math.Min(input.Rows, CudaProfile.NormPartials);
        bool vector = HaveVectorRows(outputGradient, input, weight, inputGradient);
        int sums = vector ? (int)Ceiling(input.Columns, 2048) * 2080 : 2 * ((input.Columns / 2 + 16) / 32 * 32 + 17);
        Launch(
            NormBackward.Choose(vector), (blocks, 1, 1), sums * sizeof(float), outputGradient, input, weight, inverseRms, inputGradient, _workspace,
            input.Rows, input.Columns, accumulateInput);
        Launch(
            NormWeightGradient, Ceiling(input.Columns, NormWeightGradient.Threads), _workspace, weightGradient, blocks, input.Columns, accumulateWeight);
    }
}
