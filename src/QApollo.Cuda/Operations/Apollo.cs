using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/apollo_project.cu and Kernels/apollo_scale.cu.
public sealed unsafe partial class CudaDevice
{
    private const int RankTile = 64;

    private static readonly Kernel RowsF32 = new("apollo_project", "apollo_rows_f32", 256, 6);
    private static readonly Kernel RowsBF16 = new("apollo_project", "apollo_rows_bf16", 256, 6);
    private static readonly Kernel RowsVectorF32 = new("apollo_project", "apollo_rows_vector_f32", 256, 6);
    private static readonly Kernel RowsVectorBF16 = new("apollo_project", "apollo_rows_vector_bf16", 256, 6);
    private static readonly Kernel ColumnsF32 = new("apollo_project", "apollo_columns_f32", 256, 6);
    private static readonly Kernel ColumnsBF16 = new("apollo_project", "apollo_columns_bf16", 256, 6);
    private static readonly Kernel ColumnsVectorF32 = new("apollo_project", "apollo_columns_vector_f32", 256, 6);
    private static readonly Kernel ColumnsVectorBF16 = new("apollo_project", "apollo_columns_vector_bf16", 256, 6);
    private static readonly Kernel SumChunks = new("apollo_project", "apollo_sum_chunks", 256, 5);
    private static readonly Kernel RankRowsF32 = new("apollo_project", "apollo_rank_rows_f32", 256, 6);
    private static readonly Kernel RankRowsBF16 = new("apollo_project", "apollo_rank_rows_bf16", 256, 6);
    private static readonly Kernel RankColumnsF32 = new("apollo_project", "apollo_rank_columns_f32", 256, 6);
    private static readonly Kernel RankColumnsBF16 = new("apollo_project", "apollo_rank_columns_bf16", 256, 6);
    private static readonly Kernel ApolloTotal = new("apollo_scale", "apollo_total", 1024, 4);
    private static readonly Kernel ApolloMomentsThread = new("apollo_scale", "apollo_moments_thread", 256, 16);
    private static readonly Kernel ApolloMomentsWarp = new("apollo_scale", "apollo_moments_warp", 256, 16);
    private static readonly Kernel ApolloCoefficients = new("apollo_scale", "apollo_coefficients", 1024, 13);

    public void ApolloProject(Tensor gradient, Tensor projection, Tensor projected, Tensor channelSquares)
    {
        bool rows = gradient.Rows >= gradient.Columns;
        int channels = rows ? gradient.Rows : gradient.Columns;
        int depth = rows ? gradient.Columns : gradient.Rows;
        int rank = rows ? projection.Rows : projection.Columns;
        if (rank > 1)
        {
            Kernel tiles = rows ? ByDType(gradient, RankRowsF32, RankRowsBF16) : ByDType(gradient, RankColumnsF32, RankColumnsBF16);
            var grid = (Ceiling(channels, RankTile), (int)Ceiling(rank, RankTile), 1);
            Launch(tiles, grid, 0, gradient, projection, projected, channels, depth, rank);
        }

        // With a higher rank, the pass below only sums the squares.
        Tensor single = rank == 1 ? projection : default;
        Tensor target = rank == 1 ? projected : default;
        if (rows)
        {
            bool vector = HaveVectorRows(gradient) && AreAligned(projection);
            Kernel kernel = vector ? ByDType(gradient, RowsVectorF32, RowsVectorBF16) : ByDType(gradient, RowsF32, RowsBF16);
            Launch(kernel, Ceiling(channels, 8), gradient, single, target, channelSquares, channels, depth);
        }
        else
        {
            ProjectColumns(gradient, single, target, channelSquares);
        }
    }

    private void ProjectColumns(Tensor gradient, Tensor projection, Tensor projected, Tensor channelSquares)
    {
        int rows = gradient.Rows, columns = gradient.Columns;
        int chunks = (int)Math.Clamp(CudaProfile.ReductionBytes / (2L * sizeof(float) * columns), 1, Ceiling(rows, 8));
        int rowsPerChunk = (int)Ceiling(rows, chunks);
        chunks = (int)Ceiling(rows, rowsPerChunk);
        bool vector = HaveVectorRows(gradient);
        Kernel kernel = vector ? ByDType(gradient, ColumnsVectorF32, ColumnsVectorBF16) : ByDType(gradient, ColumnsF32, ColumnsBF16);
        var grid = (Ceiling(columns, (long)kernel.Threads * (vector ? VectorElements : 1)), chunks, 1);
        Launch(kernel, grid, 0, gradient, projection, _workspace, rows, columns, rowsPerChunk);
        Launch(SumChunks, Ceiling(columns, SumChunks.Threads), _workspace, projected, channelSquares, chunks, columns);
    }

    public void ApolloScale(
        Tensor projected, Tensor channelSquares, ChannelAxis axis, in ApolloScalars scalars,
        Tensor moment1, Tensor moment2, Tensor limiterNorm, Tensor coefficients, Tensor gradientSquares, Tensor limited)
    {
        int channels = (int)channelSquares.Elements;
        int rank = (int)(projected.Elements / channels);
        bool contiguous = axis == ChannelAxis.Rows;
        Kernel moments = contiguous && rank > 1 ? ApolloMomentsWarp : ApolloMomentsThread;
        long blocks = Ceiling((long)channels * (moments == ApolloMomentsWarp ? 32 : 1), moments.Threads);
        var (numerator, epsilon) = DirectionFactors(scalars.Adam);
        Launch(ApolloTotal, 1, channelSquares, channels, gradientSquares, _workspace);
        Launch(
            moments, blocks, projected, moment1, moment2, channelSquares, scalars.TensorWise ? default : coefficients, _workspace, channels, rank,
            contiguous ? rank : 1L, contiguous ? 1L : channels, scalars.Adam.Beta1, scalars.Adam.Beta2,
            scalars.Adam.OneMinusBeta1, scalars.Adam.OneMinusBeta2, numerator, epsilon);
        Launch(
            ApolloCoefficients, 1, _workspace, blocks, coefficients, channels, scalars.TensorWise, scalars.StepSize * scalars.ScaleRoot,
            scalars.ScaleFront ? scalars.ScaleRoot : 1f, scalars.UseLimiter, scalars.StoreOnly, scalars.KeepZeroNorm,
            ApolloScalars.LimiterGrowth, limiterNorm, limited);
    }

    /// <summary>The factors a and e of D = a M / (sqrt(V) + e).</summary>
    private static (float Numerator, float Epsilon) DirectionFactors(in AdamScalars adam) => adam.BiasCorrection == BiasCorrection.Direction
        ? (adam.Correction2 / adam.Correction1, adam.Epsilon * adam.Correction2)
        : (1f, adam.Epsilon);
}
