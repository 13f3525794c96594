using QApollo.Devices;
using QApollo.Models;

namespace QApollo.Optimizers;

/// <summary>
/// SinkGD (arXiv 2502.06742): the gradient's rows, then its columns, are brought to a root mean square of 1, several times over
/// (SR-Sinkhorn, algorithm 3). Nothing of it depends on more than two vectors: X = diag(a) G diag(b), where a² and b² follow from
/// weighted sums of squares of G. No state.
/// </summary>
public sealed class SinkGdOptimizer : ParameterOptimizer
{
    private readonly RowColumnScratch _scratch;

    internal SinkGdOptimizer(Weight weight, OptimizerOptions options, OptimizerScratch scratch)
        : base(weight, options) => _scratch = scratch.RowColumn(weight.Parameter.Rows, weight.Parameter.Columns);

    public override IReadOnlyList<Memory.PlannedTensor> State => [];

    public override int SliceRows => 0;

    public override void Update(IDevice device, in UpdateContext context, Tensor gradient, int firstRow)
    {
        (int m, int n) = (gradient.Rows, gradient.Columns);
        Tensor rowSums = _scratch.Rows, rowWeights = _scratch.RowWeights, columns = _scratch.Columns;
        for (int round = 1; round <= Options.NormalizationRounds; round++)
        {
            device.SumSquares(gradient, ChannelAxis.Rows, round == 1 ? default : columns, rowSums);
            if (round == 1)
            {
                device.AccumulateSum(rowSums, context.GradientSquares);
            }

            device.Reciprocal(rowSums, root: false, n, rowWeights);
            device.SumSquares(gradient, ChannelAxis.Columns, rowWeights, columns);
            if (round < Options.NormalizationRounds)
            {
                device.Reciprocal(columns, root: false, m, columns);
            }
        }

        device.Reciprocal(rowSums, root: true, MathF.Sqrt(n), rowSums);
        device.Reciprocal(columns, root: true, context.LearningRate * (Options.Scale ?? OptimizerOptions.NormalizedScale) * MathF.Sqrt(m), columns);
        device.ScaleRows(gradient, rowSums);
        Apply(device, context, gradient, firstRow, columns, ChannelAxis.Columns);
    }
}
