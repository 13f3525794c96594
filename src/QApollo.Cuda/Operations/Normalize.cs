using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/normalize.cu.
public sealed unsafe partial class CudaDevice
{
    private const int RowsPerBlock = 8;

    private static readonly Kernel RowSquaresF32 = new("normalize", "row_squares_f32", 256, 6);
    private static readonly Kernel RowSquaresBF16 = new("normalize", "row_squares_bf16", 256, 6);
    private static readonly Kernel ColumnSquaresF32 = new("normalize", "column_squares_f32", 256, 6);
    private static readonly Kernel ColumnSquaresBF16 = new("normalize", "column_squares_bf16", 256, 6);
    private static readonly Kernel ColumnSquaresVectorF32 = new("normalize", "column_squares_vector_f32", 256, 6);
    private static readonly Kernel ColumnSquaresVectorBF16 = new("normalize", "column_squares_vector_bf16", 256, 6);
    private static readonly Kernel AddChunks = new("normalize", "add_chunks", 256, 4);
    private static readonly Kernel ScaleRowsF32 = new("normalize", "scale_rows_f32", 256, 5);
    private static readonly Kernel ScaleRowsBF16 = new("normalize", "scale_rows_bf16", 256, 5);
    private static readonly Kernel AverageF32 = new("normalize", "average_f32", 256, 6);
    private static readonly Kernel AverageBF16 = new("normalize", "average_bf16", 256, 6);
    private static readonly Kernel ReciprocalKernel = new("normalize", "reciprocal", 256, 5);
    private static readonly Kernel DivideBySquaresKernel = new("normalize", "divide_by_squares", 1024, 4);
    private static readonly Kernel LimitGrowthKernel = new("normalize", "limit_growth", 1024, 10);

    public void SumSquares(Tensor values, ChannelAxis axis, Tensor weights, Tensor sums)
    {
        (int rows, int columns) = (values.Rows, values.Columns);
        bool vector = HaveVectorRows(values);
        if (axis == ChannelAxis.Rows)
        {
            Launch(
                ByDType(values, RowSquaresF32, RowSquaresBF16), Ceiling(rows, RowsPerBlock), values, weights, sums, rows, columns,
                vector && AreAligned(weights));
            return;
        }

        int chunks = (int)Math.Clamp(CudaProfile.ReductionBytes / ((long)sizeof(float) * columns), 1, Ceiling(rows, RowsPerBlock));
        int rowsPerChunk = (int)Ceiling(rows, chunks);
        chunks = (int)Ceiling(rows, rowsPerChunk);
        Kernel kernel = vector ? ByDType(values, ColumnSquaresVectorF32, ColumnSquaresVectorBF16) : ByDType(values, ColumnSquaresF32, ColumnSquaresBF16);
        var grid = (Ceiling(columns, (long)kernel.Threads * (vector ? VectorElements : 1)), chunks, 1);
        Launch(kernel, grid, 0, values, weights, _workspace, rows, columns, rowsPerChunk);
        Launch(AddChunks, Ceiling(columns, AddChunks.Threads), _workspace, sums, chunks, columns);
    }

    public void ScaleRows(Tensor values, Tensor factors) => Launch(
        ByDType(values, ScaleRowsF32, ScaleRowsBF16), Ceiling(values.Rows, RowsPerBlock), values, factors, values.Rows, values.Columns,
        HaveVectorRows(values));

    public void Reciprocal(Tensor values, bool root, float scale, Tensor output) => Launch(
        ReciprocalKernel, Ceiling(values.Columns, ReciprocalKernel.Threads), values, output, values.Columns, root, scale);

    public void DivideBySquares(Tensor values, Tensor divisors) =>
        Launch(DivideBySquaresKernel, 1, values, values.Columns, divisors, divisors.Columns);

    public void Average(Tensor values, float decay, float oneMinusDecay, Tensor average)
    {
        Kernel kernel = ByDType(values, AverageF32, AverageBF16);
        Launch(kernel, VectorBlocks(values.Elements, kernel), values, average, values.Elements, AreAligned(values, average), decay, oneMinusDecay);
    }

    public void LimitGrowth(
        Tensor squares, Tensor weights, bool useLimiter, bool storeOnly, Tensor limiterNorm, Tensor coefficients, Tensor limited) => Launch(
        LimitGrowthKernel, 1, squares, weights, squares.Columns, coefficients, coefficients.Columns, useLimiter, storeOnly,
        ApolloScalars.LimiterGrowth, limiterNorm, limited);
}
