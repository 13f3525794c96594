using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Optimizers;

/// <summary>
/// SCALE (arXiv 2506.16659): the gradient, each column of it brought to a root mean square of 1; the last layer's gradient is
/// averaged over updates before. A column is what feeds one output: a row of a matrix [out, in] here, and a column of the
/// embedding [vocabulary, hidden]. No state but the last layer's average.
/// </summary>
public sealed class ScaleOptimizer : ParameterOptimizer
{
    private readonly PlannedTensor? _average;
    private readonly PlannedTensor _coefficients;
    private readonly ChannelAxis _axis;

    /// <param name="isLastLayer">The head, or a table that is head and embedding in one.</param>
    internal ScaleOptimizer(TensorTable table, Weight weight, OptimizerOptions options, OptimizerScratch scratch, bool isLastLayer)
        : base(weight, options)
    {
        Parameter parameter = weight.Parameter;
        _axis = parameter.Role == ParameterRole.Embedding && !isLastLayer ? ChannelAxis.Columns : ChannelAxis.Rows;
        RowColumnScratch vectors = scratch.RowColumn(parameter.Rows, parameter.Columns);
        _coefficients = _axis == ChannelAxis.Rows ? vectors.Rows : vectors.Columns;
        _average = isLastLayer
            ? table.Persistent(parameter.Name + ".exp_avg", DType.F32, parameter.Rows, parameter.Columns, TensorCategory.Optimizer)
            : null;
    }

    public override IReadOnlyList<PlannedTensor> State => _average is null ? [] : [_average];

    /// <summary>Rows stand for themselves; a column is known when all rows are.</summary>
    public override int SliceRows => _axis == ChannelAxis.Rows ? 1 : 0;

    public override void Update(IDevice device, in UpdateContext context, Tensor gradient, int firstRow)
    {
        Tensor direction = gradient;
        if (_average is not null)
        {
            device.AccumulateSumOfSquares(gradient, context.GradientSquares);
            direction = _average.RowRange(firstRow, gradient.Rows);
            device.Average(gradient, (float)Options.Beta1, (float)(1 - Options.Beta1), direction);
        }

        (int count, int summed) = _axis == ChannelAxis.Rows ? (gradient.Rows, gradient.Columns) : (gradient.Columns, gradient.Rows);
        Tensor sums = _coefficients.View.ElementRange(0, count);
        device.SumSquares(direction, _axis, default, sums);
        if (_average is null)
        {
            device.AccumulateSum(sums, context.GradientSquares);
        }

        device.Reciprocal(sums, root: true, context.LearningRate * (Options.Scale ?? 1f) * MathF.Sqrt(summed), sums);
        Apply(device, context, direction, firstRow, sums, _axis);
    }
}
