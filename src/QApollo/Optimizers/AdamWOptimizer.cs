using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Optimizers;

/// <summary>AdamW (arXiv 1711.05101) with F32 moments of the weight's shape.</summary>
public sealed class AdamWOptimizer : ParameterOptimizer
{
    private readonly PlannedTensor _moment1;
    private readonly PlannedTensor _moment2;
    private readonly PlannedTensor _coefficient;

    internal AdamWOptimizer(TensorTable table, Weight weight, OptimizerOptions options, OptimizerScratch scratch)
        : base(weight, options)
    {
        Parameter parameter = weight.Parameter;
        _moment1 = table.Persistent(parameter.Name + ".exp_avg", DType.F32, parameter.Rows, parameter.Columns, TensorCategory.Optimizer);
        _moment2 = table.Persistent(parameter.Name + ".exp_avg_sq", DType.F32, parameter.Rows, parameter.Columns, TensorCategory.Optimizer);
        _coefficient = scratch.Coefficient;
    }

    public override IReadOnlyList<PlannedTensor> State => [_moment1, _moment2];

    public override void Update(IDevice device, in UpdateContext context, Tensor gradient, int firstRow)
    {
        AdamScalars adam = AdamAt(context);
        device.AdamDirection(
            gradient, _moment1.RowRange(firstRow, gradient.Rows), _moment2.RowRange(firstRow, gradient.Rows), adam, context.GradientSquares);
        device.Fill(_coefficient, StepSize(context.LearningRate, adam));
        Apply(device, context, gradient, firstRow, _coefficient, ChannelAxis.None);
    }
}
