using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Optimizers;

/// <summary>
/// SinkGD (arXiv 2502.06742, algorithm 4): rows and columns of the gradient are brought to a root mean square of 1 in turn, five times, after
/// Sinkhorn; no state. The rounds act on two vectors: diag(a) G diag(b) has the row norms a_i sqrt(sum over j of G_ij² b_j²), so the gradient
/// itself is only read until they stand.
/// </summary>
public sealed class SinkGdOptimizer : ParameterOptimizer
{
    private const int Rounds = 5;

    /// <summary>The published share of the learning rate for matrices.</summary>
    private const float DefaultScale = 0.05f;

    /// <summary>Of a sum of squares: what divides by less is not computed.</summary>
    private const float Floor = 1e-30f;

    private readonly PlannedTensor _rowSums;
    private readonly PlannedTensor _columnSums;
    private readonly PlannedTensor _rowFactors;
    private readonly PlannedTensor _columnFactors;

    internal SinkGdOptimizer(Weight weight, OptimizerOptions options, OptimizerScratch scratch)
        : base(weight, options)
    {
        (int rows, int columns) = (weight.Parameter.Rows, weight.Parameter.Columns);
        (_rowSums, _rowFactors) = (scratch.Channels("row_squares", rows), scratch.Channels("row_factors", rows));
        (_columnSums, _columnFactors) = (scratch.Channels("column_squares", columns), scratch.Channels("column_factors", columns));
    }

    public override IReadOnlyList<PlannedTensor> State => [];

    public override int SliceRows => 0;

    public override void Update(IDevice device, in UpdateContext context, Tensor gradient, int firstRow)
    {
        device.AccumulateSumOfSquares(gradient, context.GradientSquares);
        Tensor columnWeights = default;
        for (int round = 0; round < Rounds; round++)
        {
            // a_i² = columns / sum_j G_ij² b_j², then b_j² = rows / sum_i a_i² G_ij².
            device.WeightedSquares(gradient, ChannelAxis.Rows, columnWeights, _rowSums);
            device.ChannelFactors(_rowSums, default, new FactorScalars(gradient.Columns, FactorPower.Reciprocal, Floor), _rowFactors);
            device.WeightedSquares(gradient, ChannelAxis.Columns, _rowFactors, _columnSums);
            device.ChannelFactors(_columnSums, default, new FactorScalars(gradient.Rows, FactorPower.Reciprocal, Floor), _columnFactors);
            columnWeights = _columnFactors;
        }

        device.ChannelFactors(_rowFactors, default, new FactorScalars(1, FactorPower.Root), _rowSums);
        device.ScaleRows(gradient, _rowSums);
        device.ChannelFactors(
            _columnFactors, default, new FactorScalars(context.LearningRate * (Options.Scale ?? DefaultScale), FactorPower.Root), _columnSums);
        Apply(device, context, gradient, firstRow, _columnSums, ChannelAxis.Columns);
    }
}
