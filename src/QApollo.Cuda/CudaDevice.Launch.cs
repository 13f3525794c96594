using System.Numerics;
using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// How operations launch their kernels.
public sealed unsafe partial class CudaDevice
{
    /// <summary>Elements that a thread takes at once: one 16-byte access of BF16.</summary>
    private const int VectorElements = 8;

    private const int VectorBytes = 16;

    private void Launch(Kernel kernel, long blocks, params ReadOnlySpan<KernelArgument> arguments) =>
        Launch(kernel, (blocks, 1, 1), 0, arguments);

    private void Launch(Kernel kernel, (long X, int Y, int Z) grid, int sharedBytes, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (grid.X > 0)
        {
            _context.MakeCurrent();
            _commands.Launch(kernel, grid, sharedBytes, arguments);
        }
    }

    /// <summary>Blocks that cover so many elements, 8 per thread.</summary>
    private static long VectorBlocks(long elements, Kernel kernel) => Ceiling(elements, (long)kernel.Threads * VectorElements);

    private static long Ceiling(long dividend, long divisor) => (dividend + divisor - 1) / divisor;

    private static bool IsAligned(nint address) => address % VectorBytes == 0;

    private static bool AreAligned(params ReadOnlySpan<Tensor> tensors)
    {
        foreach (Tensor tensor in tensors)
        {
            if (!IsAligned(tensor.Address))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether the rows of all tensors, which have equal columns, can be read in vectors of 8.</summary>
    private static bool HaveVectorRows(params ReadOnlySpan<Tensor> tensors) => tensors[0].Columns % VectorElements == 0 && AreAligned(tensors);

    private static int GroupShift(in WeightMatrix weight) => BitOperations.Log2((uint)weight.GroupSize);

    private static int GroupsPerRow(in WeightMatrix weight) => WeightMatrix.GroupsPerRow(weight.InFeatures, weight.GroupSize);

    /// <summary>The kernel for F32 or for BF16.</summary>
    private static Kernel ByDType(Tensor tensor, Kernel f32, Kernel bf16) => tensor.DType == DType.F32 ? f32 : bf16;

    /// <summary>The two forms of a kernel that goes over rows: in vectors of 8, or in pairs of columns.</summary>
    private sealed class RowKernels(string module, string name, int threads, int parameters)
    {
        private readonly Kernel _vector = new(module, name, threads, parameters);
        private readonly Kernel _any = new(module, $"{name}_any", threads, parameters);

        public IEnumerable<Kernel> All => [_vector, _any];

        public Kernel Choose(bool vector) => vector ? _vector : _any;
    }
}
