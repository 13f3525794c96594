using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/bias.cu.
public sealed unsafe partial class CudaDevice
{
    private static readonly Kernel AddBiasKernel = new("bias", "add_bias", 256, 5);
    private static readonly Kernel BiasPartials = new("bias", "bias_partials", 128, 5);

    public void AddBias(Tensor values, Tensor bias)
    {
        long items = values.Rows * Ceiling(values.Columns, VectorElements);
        Launch(AddBiasKernel, Ceiling(items, AddBiasKernel.Threads), values, bias, items, values.Columns, HaveVectorRows(values, bias));
    }

    public void BiasGradient(Tensor outputGradient, Tensor biasGradient, bool accumulate)
    {
        int columns = outputGradient.Columns;
        int blocks = (int)Math.Clamp(CudaProfile.ReductionBytes / ((long)columns * sizeof(float)), 1, Math.Min(outputGradient.Rows, CudaProfile.NormPartials));
        Launch(
            BiasPartials, (Ceiling(columns, (long)BiasPartials.Threads * VectorElements), blocks, 1), 0, outputGradient, _workspace,
            outputGradient.Rows, columns, HaveVectorRows(outputGradient) && AreAligned(_workspace));
        Launch(NormWeightGradient, Ceiling(columns, SumColumns), _workspace, biasGradient, blocks, columns, accumulate);
    }
}
