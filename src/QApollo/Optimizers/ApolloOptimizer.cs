using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Optimizers;

/// <summary>
/// APOLLO and APOLLO-Mini (arXiv 2412.05270, algorithm 1): Adam's moments live in a random projection of the gradient
/// along its smaller side, of rank r, and only scale the raw gradient: per channel (APOLLO) or as a whole (Mini, r = 1).
/// </summary>
public sealed class ApolloOptimizer : ParameterOptimizer
{
    private const float MiniScale = 128f;

    private readonly PlannedTensor _moment1;
    private readonly PlannedTensor _moment2;
    private readonly PlannedTensor _limiterNorm;
    private readonly ApolloScratch _scratch;
    private readonly IProjectionSource _projections;
    private readonly ChannelAxis _axis;
    private readonly bool _tensorWise;

    internal ApolloOptimizer(
        TensorTable table, Weight weight, OptimizerOptions options, OptimizerScratch scratch, IProjectionSource projections)
        : base(weight, options)
    {
        int rows = weight.Parameter.Rows;
        int columns = weight.Parameter.Columns;
        _tensorWise = options.Kind == OptimizerKind.ApolloMini;
        _axis = rows >= columns ? ChannelAxis.Rows : ChannelAxis.Columns;
        _projections = projections;
        int rank = _tensorWise ? 1 : Math.Min(options.Rank, Math.Min(rows, columns));
        _scratch = scratch.Apollo(rows, columns, rank, _tensorWise);
        (int stateRows, int stateColumns) = _axis == ChannelAxis.Rows ? (rows, rank) : (rank, columns);
        PlannedTensor State(string suffix, int r, int c) =>
            table.Persistent(weight.Parameter.Name + suffix, DType.F32, r, c, TensorCategory.Optimizer);
        _moment1 = State(".exp_avg", stateRows, stateColumns);
        _moment2 = State(".exp_avg_sq", stateRows, stateColumns);
        _limiterNorm = State(".limiter_norm", 1, 1);
    }

    public override IReadOnlyList<PlannedTensor> State => [_moment1, _moment2, _limiterNorm];

    public override int SliceRows => 0;

    public override void Update(IDevice device, in UpdateContext context, Tensor gradient, int firstRow)
    {
        AdamScalars adam = AdamAt(context);
        var scalars = new ApolloScalars(
            adam, StepSize(context.LearningRate, adam), MathF.Sqrt(Options.Scale ?? (_tensorWise ? MiniScale : 1f)), Options.ScaleFront,
            Options.UseLimiter, StoreOnly: context.Step == 1, Options.KeepZeroNorm, _tensorWise);

        int redraw = (int)((context.Step - 1) / (uint)Options.UpdateProjectionGap);
        _projections.Fill(device, Weight.Parameter, redraw, _scratch.Projection);
        device.ApolloProject(gradient, _scratch.Projection, _scratch.Projected, _scratch.ChannelSquares);
        device.ApolloScale(
            _scratch.Projected, _scratch.ChannelSquares, _axis, scalars, _moment1, _moment2, _limiterNorm, _scratch.Coefficients,
            context.GradientSquares, context.Limited);
        Apply(device, context, gradient, firstRow, _scratch.Coefficients, _tensorWise ? ChannelAxis.None : _axis);
    }
}
