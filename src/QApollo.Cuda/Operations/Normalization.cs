using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/normalize.cu.
public sealed unsafe partial class CudaDevice
{
    private static readonly Kernel SquaresOfRowsF32 = new("normalize", "weighted_squares_rows_f32", 256, 6);
    private static readonly Kernel SquaresOfRowsBF16 = new("normalize", "weighted_squares_rows_bf16", 256, 6);
    private static readonly Kernel SquaresOfColumnsF32 = new("normalize", "weighted_squares_columns_f32", 256, 6);
    private static readonly Kernel SquaresOfColumnsBF16 = new("normalize", "weighted_squares_columns_bf16", 256, 6);
    private static readonly Kernel SquaresOfColumnsVectorF32 = new("normalize", "weighted_squares_columns_vector_f32", 256, 6);
    private static readonly Kernel SquaresOfColumnsVectorBF16 = new("normalize", "weighted_squares_columns_vector_bf16", 256, 6);
    private static readonly Kernel SumOfSquaresChunks = new("normalize", "weighted_squares_sum", 256, 4);
    private static readonly Kernel FactorsKernel = new("normalize", "channel_factors", 256, 8);
    private static readonly Kernel ScaleRowsF32 = new("normalize", "scale_rows_f32", 256, 5);
    private static readonly Kernel ScaleRowsBF16 = new("normalize", "scale_rows_bf16", 256, 5);
    private static readonly Kernel LimitKernel = new("normalize", "limit_growth", 1024, 8);
    private static readonly Kernel MomentumF32 = new("normalize", "momentum_f32", 256, 5);
    private static readonly Kernel MomentumBF16 = new("normalize", "momentum_bf16", 256, 5);

    public void WeightedSquares(Tensor gradient, ChannelAxis axis, Tensor weights, Tensor sums)
    {
        int rows = gradient.Rows, columns = gradient.Columns;
        if (axis == ChannelAxis.Rows)
        {
            bool isVector = HaveVectorRows(gradient) && AreAligned(weights);
            Launch(ByDType(gradient, SquaresOfRowsF32, SquaresOfRowsBF16), Ceiling(rows, 8), gradient, weights, sums, rows, columns, isVector);
            return;
        }

        int chunks = (int)Math.Clamp(CudaProfile.ReductionBytes / ((long)sizeof(float) * columns), 1, Ceiling(rows, 8));
        int rowsPerChunk = (int)Ceiling(rows, chunks);
        chunks = (int)Ceiling(rows, rowsPerChunk);
        bool vector = HaveVectorRows(gradient);
        Kernel kernel = vector
            ? ByDType(gradient, SquaresOfColumnsVectorF32, SquaresOfColumnsVectorBF16)
            : ByDType(gradient, SquaresOfColumnsF32, SquaresOfColumnsBF16);
        var grid = (Ceiling(columns, (long)kernel.Threads * (vector ? VectorElements : 1)), chunks, 1);
        Launch(kernel, grid, 0, gradient, weights, _workspace, rows, columns, rowsPerChunk);
        Launch(SumOfSquaresChunks, Ceiling(columns, SumOfSquaresChunks.Threads), _workspace, sums, chunks, columns);
    }

    public void ChannelFactors(Tensor values, Tensor divisor, in FactorScalars scalars, Tensor factors) => Launch(
        FactorsKernel, Ceiling(values.Elements, FactorsKernel.Threads), values, divisor, factors, (int)values.Elements, scalars.Scale, (int)scalars.Power,
        scalars.Floor, scalars.Decay);

    public void ScaleRows(Tensor gradient, Tensor factors) => Launch(
        ByDType(gradient, ScaleRowsF32, ScaleRowsBF16), Ceiling(gradient.Rows, 8), gradient, factors, gradient.Rows, gradient.Columns, HaveVectorRows(gradient));

    public void LimitGrowth(Tensor squares, Tensor divisors, bool storeOnly, Tensor limiterNorm, Tensor limit, Tensor limited) => Launch(
        LimitKernel, 1, squares, divisors, (int)squares.Elements, storeOnly, ApolloScalars.LimiterGrowth, limiterNorm, limit, limited);

    public void Momentum(Tensor gradient, Tensor moment, float beta)
    {
        Kernel kernel = ByDType(gradient, MomentumF32, MomentumBF16);
        Launch(kernel, VectorBlocks(gradient.Elements, kernel), gradient, moment, gradient.Elements, AreAligned(gradient, moment), beta);
    }
}
