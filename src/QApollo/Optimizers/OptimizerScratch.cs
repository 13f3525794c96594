using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Optimizers;

/// <summary>Scratch of an APOLLO update of a matrix [m, n], shared by all matrices of that shape. Channels: max(m, n).</summary>
/// <param name="Projection">P: [r, n] when m &gt;= n, else [m, r].</param>
/// <param name="Projected">R: [m, r] when m &gt;= n, else [r, n].</param>
/// <param name="ChannelSquares">[1, channels].</param>
/// <param name="Coefficients">[1, 1] for APOLLO-Mini, else [1, channels].</param>
internal sealed record ApolloScratch(
    PlannedTensor Projection, PlannedTensor Projected, PlannedTensor ChannelSquares, PlannedTensor Coefficients);

/// <summary>Scratch of an update that scales rows and columns of a matrix [m, n], shared by all matrices of that shape.</summary>
/// <param name="Rows">[1, m].</param>
/// <param name="RowWeights">[1, m].</param>
/// <param name="Columns">[1, n].</param>
internal sealed record RowColumnScratch(PlannedTensor Rows, PlannedTensor RowWeights, PlannedTensor Columns);

/// <summary>Scratch memory that optimizers use while they update one parameter.</summary>
internal sealed class OptimizerScratch(TensorTable table)
{
    private readonly Dictionary<(int Rows, int Columns), ApolloScratch> _apollo = [];
    private readonly Dictionary<(int Rows, int Columns), RowColumnScratch> _rowColumn = [];
    private PlannedTensor? _coefficient;

    /// <summary>[1, 1] F32: the coefficient of updates that have just one.</summary>
    public PlannedTensor Coefficient => _coefficient ??= Declare("coefficient", 1, 1);

    public ApolloScratch Apollo(int rows, int columns, int rank, bool tensorWise)
    {
        if (!_apollo.TryGetValue((rows, columns), out ApolloScratch? scratch))
        {
            bool tall = rows >= columns;
            int channels = Math.Max(rows, columns);
            string shape = $"{rows}x{columns}";
            scratch = new ApolloScratch(
                Declare($"projection.{shape}", tall ? rank : rows, tall ? columns : rank),
                Declare($"projected.{shape}", tall ? rows : rank, tall ? rank : columns),
                Declare($"channel_squares.{shape}", 1, channels),
                Declare($"coefficients.{shape}", 1, tensorWise ? 1 : channels));
            _apollo.Add((rows, columns), scratch);
        }

        return scratch;
    }

    public RowColumnScratch RowColumn(int rows, int columns)
    {
        if (!_rowColumn.TryGetValue((rows, columns), out RowColumnScratch? scratch))
        {
            string shape = $"{rows}x{columns}";
            scratch = new RowColumnScratch(
                Declare($"rows.{shape}", 1, rows), Declare($"row_weights.{shape}", 1, rows), Declare($"columns.{shape}", 1, columns));
            _rowColumn.Add((rows, columns), scratch);
        }

        return scratch;
    }

    private PlannedTensor Declare(string name, int rows, int columns) =>
        table.Transient("optimizer." + name, DType.F32, rows, columns, TensorCategory.Workspace);
}
