using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Optimizers;

/// <summary>Plain stochastic gradient descent, W -= lr * G; no state.</summary>
public sealed class SgdOptimizer : ParameterOptimizer
{
    private readonly PlannedTensor _coefficient;

    internal SgdOptimizer(Weight weight, OptimizerOptions options, OptimizerScratch scratch)
        : base(weight, options) => _coefficient = scratch.Coefficient;

    public override IReadOnlyList<PlannedTensor> State => [];

    public override void Update(IDevice device, in UpdateContext context, Tensor gradient, int firstRow)
    {
        device.AccumulateSumOfSquares(gradient, context.GradientSquares);
        device.Fill(_coefficient, context.LearningRate);
        Apply(device, context, gradient, firstRow, _coefficient, ChannelAxis.None);
    }
}
