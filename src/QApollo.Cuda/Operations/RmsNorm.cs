using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/rmsnorm.cu, rmsnorm_short.cu.
public sealed unsafe partial class CudaDevice
{
    /// <summary>Blocks of the forward kernels of short rows, at most: enough to fill a card. More rows are taken in turns.</summary>
    private const int ShortNormBlocks = 512;

    /// <summary>Columns that a block of <see cref="NormWeightGradient"/> adds up.</summary>
    private const int SumColumns = 32;

    private static readonly RowKernels NormForward = new("rmsnorm", "rmsnorm_forward", 256, 6);
    private static readonly RowKernels NormBackward = new("rmsnorm", "rmsnorm_backward", 256, 9);
    private static readonly ShortRowKernels NormForwardShort = new("rmsnorm_short", "rmsnorm_forward", 7);
    private static readonly ShortRowKernels NormBackwardShort = new("rmsnorm_short", "rmsnorm_backward", 9);
    private static readonly Kernel NormWeightGradient = new("rmsnorm", "rmsnorm_weight_gradient", 256, 5);

    public void RmsNormForward(Tensor input, Tensor weight, float epsilon, Tensor output, Tensor inverseRms)
    {
        (int rows, int columns) = (input.Rows, input.Columns);
        if (NormForwardShort.Find(columns, HaveQuadRows(input, weight, output)) is { } found)
        {
            long blocks = Math.Min(Ceiling(rows, found.RowsPerBlock), ShortNormBlocks);
            Launch(found.Kernel, blocks, input, weight, output, inverseRms, rows, columns, epsilon);
            return;
        }

        Launch(NormForward.Choose(HaveVectorRows(input, weight, output)), rows, input, weight, output, inverseRms, columns, epsilon);
    }

    public void RmsNormBackward(
        Tensor outputGradient, Tensor input, Tensor weight, Tensor inverseRms,
        Tensor inputGradient, bool accumulateInput, Tensor weightGradient, bool accumulateWeight)
    {
        (int rows, int columns) = (input.Rows, input.Columns);
        (Kernel kernel, int rowsPerBlock, int sums) = FindNormBackward(columns, outputGradient, input, weight, inputGradient);
        int blocks = (int)Math.Min(Ceiling(rows, rowsPerBlock), CudaProfile.NormPartials);
        Launch(
            kernel, (blocks, 1, 1), sums * sizeof(float), outputGradient, input, weight, inverseRms, inputGradient, _workspace, rows, columns, accumulateInput);
        Launch(NormWeightGradient, Ceiling(columns, SumColumns), _workspace, weightGradient, blocks, columns, accumulateWeight);
    }

    /// <summary>The kernel, rows that a block takes at once, and floats of its dynamic shared memory.</summary>
    private static (Kernel Kernel, int RowsPerBlock, int Sums) FindNormBackward(int columns, params ReadOnlySpan<Tensor> tensors)
    {
        if (NormBackwardShort.Find(columns, HaveQuadRows(tensors)) is { } found)
        {
            return (found.Kernel, found.RowsPerBlock, 0);
        }

        bool vector = HaveVectorRows(tensors);
        return (NormBackward.Choose(vector), 1, vector ? (int)Ceiling(columns, 2048) * 2080 : 2 * ((columns / 2 + 16) / 32 * 32 + 17));
    }

    /// <summary>Whether the rows of all tensors, which have equal columns, can be read in vectors of 4.</summary>
    private static bool HaveQuadRows(params ReadOnlySpan<Tensor> tensors) => tensors[0].Columns % 4 == 0 && AreAligned(tensors);

    /// <summary>The forms of a kernel whose warps hold rows of up to 512 features, quads in each lane, or of up to 256 in pairs.</summary>
    private sealed class ShortRowKernels(string module, string name, int parameters)
    {
        private const int Threads = 256;

        // Features at most, and lanes of a row.
        private readonly (int Features, int Lanes, Kernel Kernel)[] _quads =
        [
            (64, 8, new(module, $"{name}_64", Threads, parameters)),
            (128, 16, new(module, $"{name}_128", Threads, parameters)),
            (256, 32, new(module, $"{name}_256", Threads, parameters)),
            (512, 32, new(module, $"{name}_512", Threads, parameters)),
        ];

        private readonly Kernel _any = new(module, $"{name}_256_any", Threads, parameters);

        public IEnumerable<Kernel> All => _quads.Select(form => form.Kernel).Append(_any);

        /// <summary>The kernel, and how many rows a block takes at once; null for rows that are too long.</summary>
        public (Kernel Kernel, int RowsPerBlock)? Find(int columns, bool quads)
        {
            if (!quads)
            {
                return columns <= 256 ? (_any, Threads / 32) : null;
            }

            foreach ((int features, int lanes, Kernel kernel) in _quads)
            {
                if (columns <= features)
                {
                    return (kernel, Threads / lanes);
                }
            }

            return null;
        }
    }
}
