using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/reduce.cu.
public sealed unsafe partial class CudaDevice
{
    /// <summary>Blocks of a flat reduction; more would only wait for memory.</summary>
    private const int MaxPartials = 1024;

    private static readonly Kernel SumF32 = new("reduce", "sum_f32", 256, 4);
    private static readonly Kernel SquaresF32 = new("reduce", "squares_f32", 256, 4);
    private static readonly Kernel SquaresBF16 = new("reduce", "squares_bf16", 256, 4);
    private static readonly Kernel AddPartialsKernel = new("reduce", "add_partials", 256, 3);

    public void AccumulateSum(Tensor values, Tensor total) => Reduce(SumF32, values, total);

    public void AccumulateSumOfSquares(Tensor values, Tensor total) => Reduce(ByDType(values, SquaresF32, SquaresBF16), values, total);

    private void Reduce(Kernel kernel, Tensor values, Tensor total)
    {
        long blocks = PartialBlocks(values.Elements, kernel);
        Launch(kernel, blocks, values, _workspace, values.Elements, AreAligned(values));
        AddPartials(blocks, total);
    }

    /// <summary>Depends on the number of elements only, so that the order of a sum does.</summary>
    private static long PartialBlocks(long elements, Kernel kernel) => Math.Min(VectorBlocks(elements, kernel), MaxPartials);

    private void AddPartials(long blocks, Tensor total) => Launch(AddPartialsKernel, 1, _workspace, blocks, total);
}
