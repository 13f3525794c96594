using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Optimizers;

/// <summary>
/// RACS, row and column scaled SGD (arXiv 2502.07752, algorithm 1): the Fisher information of a matrix as a product of two
/// diagonals, s over columns and q over rows, which the fixed point s = diag(Gᵀ Q G) / |Q|², q = diag(G S Gᵀ) / |S|² gives from q = 1 on. Averaged over
/// updates, they scale the gradient: Q^-½ G S^-½, limited by its norm's growth. State: s, q and that norm.
/// </summary>
public sealed class RacsOptimizer : ParameterOptimizer
{
    private readonly PlannedTensor _columnAverage;
    private readonly PlannedTensor _rowAverage;
    private readonly PlannedTensor _limiterNorm;
    private readonly RowColumnScratch _scratch;

    internal RacsOptimizer(TensorTable table, Weight weight, OptimizerOptions options, OptimizerScratch scratch)
        : base(weight, options)
    {
        Parameter parameter = weight.Parameter;
        PlannedTensor State(string suffix, int columns) =>
            table.Persistent(parameter.Name + suffix, DType.F32, 1, columns, TensorCategory.Optimizer);
        _columnAverage = State(".exp_avg_sq_columns", parameter.Columns);
        _rowAverage = State(".exp_avg_sq_rows", parameter.Rows);
        _limiterNorm = State(".limiter_norm", 1);
        _scratch = scratch.RowColumn(parameter.Rows, parameter.Columns);
    }

    public override IReadOnlyList<PlannedTensor> State => [_columnAverage, _rowAverage, _limiterNorm];

    public override int SliceRows => 0;

    public override void Update(IDevice device, in UpdateContext context, Tensor gradient, int firstRow)
    {
        Tensor rows = _scratch.Rows, rowSquares = _scratch.RowWeights, columns = _scratch.Columns;
        device.Fill(rows, 1f);
        for (int round = 1; round <= Options.NormalizationRounds; round++)
        {
            device.SumSquares(gradient, ChannelAxis.Columns, rows, columns);
            if (round == 1)
            {
                device.AccumulateSum(columns, context.GradientSquares);
            }

            device.DivideBySquares(columns, rows);
            device.SumSquares(gradient, ChannelAxis.Rows, columns, rows);
            device.DivideBySquares(rows, columns);
        }

        // From the first gradient's vectors, not from zero: there is no bias to correct.
        double beta = context.Step == 1 ? 0 : Options.Beta1;
        (float decay, float oneMinusDecay) = ((float)beta, (float)(1 - beta));
        device.Average(columns, decay, oneMinusDecay, _columnAverage);
        device.Average(rows, decay, oneMinusDecay, _rowAverage);

        // The squared norm of Q^-½ G S^-½, row by row.
        device.Reciprocal(_columnAverage, root: false, 1f, columns);
        device.SumSquares(gradient, ChannelAxis.Rows, columns, rowSquares);
        device.Reciprocal(_rowAverage, root: false, 1f, rows);
        device.Reciprocal(_columnAverage, root: true, context.LearningRate * (Options.Scale ?? OptimizerOptions.NormalizedScale), columns);
        device.LimitGrowth(rowSquares, rows, Options.UseLimiter, storeOnly: context.Step == 1, _limiterNorm, columns, context.Limited);

        device.Reciprocal(_rowAverage, root: true, 1f, rows);
        device.ScaleRows(gradient, rows);
        Apply(device, context, gradient, firstRow, columns, ChannelAxis.Columns);
    }
}
