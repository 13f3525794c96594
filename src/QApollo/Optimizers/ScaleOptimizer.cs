using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Optimizers;

/// <summary>
/// SCALE (arXiv 2506.16659, algorithm 1; its published code): every gradient is divided by the root mean square of its channels, those of
/// outputs, for the embedding those of its features; the head's gradient is an exponential mean first, the only state there is.
/// </summary>
public sealed class ScaleOptimizer : ParameterOptimizer
{
    /// <summary>The published code's bound of a channel's root mean square.</summary>
    private const float LeastRms = 1e-8f;

    private readonly PlannedTensor? _moment;
    private readonly PlannedTensor _squares;
    private readonly PlannedTensor _coefficients;
    private readonly ChannelAxis _axis;

    internal ScaleOptimizer(TensorTable table, Weight weight, OptimizerOptions options, OptimizerScratch scratch)
        : base(weight, options)
    {
        Parameter parameter = weight.Parameter;
        _axis = parameter.Role == ParameterRole.Embedding ? ChannelAxis.Columns : ChannelAxis.Rows;
        _moment = parameter.Role == ParameterRole.Head
            ? table.Persistent(parameter.Name + ".exp_avg", DType.F32, parameter.Rows, parameter.Columns, TensorCategory.Optimizer)
            : null;
        int channels = _axis == ChannelAxis.Rows ? parameter.Rows : parameter.Columns;
        (_squares, _coefficients) = (scratch.Channels("channel_squares", channels), scratch.Channels("channel_coefficients", channels));
    }

    public override IReadOnlyList<PlannedTensor> State => _moment is null ? [] : [_moment];

    /// <summary>Rows stand for themselves; columns need all rows.</summary>
    public override int SliceRows => _axis == ChannelAxis.Rows ? 1 : 0;

    public override void Update(IDevice device, in UpdateContext context, Tensor gradient, int firstRow)
    {
        device.AccumulateSumOfSquares(gradient, context.GradientSquares);
        if (_moment is not null)
        {
            device.Momentum(gradient, _moment.RowRange(firstRow, gradient.Rows), (float)Options.Beta1);
        }

        int channels = _axis == ChannelAxis.Rows ? gradient.Rows : gradient.Columns;
        int summed = _axis == ChannelAxis.Rows ? gradient.Columns : gradient.Rows;
        Tensor squares = _squares.View.ElementRange(0, channels), coefficients = _coefficients.View.ElementRange(0, channels);
        device.WeightedSquares(gradient, _axis, weights: default, squares);
        float scale = context.LearningRate * MathF.Sqrt(summed);
        device.ChannelFactors(squares, default, new FactorScalars(scale, FactorPower.ReciprocalRoot, LeastRms * LeastRms * summed), coefficients);
        Apply(device, context, gradient, firstRow, coefficients, _axis);
    }
}
