using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Optimizers;

/// <summary>The optimizer of one parameter: its state, and the update that consumes a released gradient.</summary>
public abstract class ParameterOptimizer(Weight weight, OptimizerOptions options)
{
    public Weight Weight { get; } = weight;

    /// <summary>The tensors that must survive from step to step; their names are the parameter's plus a suffix.</summary>
    public abstract IReadOnlyList<PlannedTensor> State { get; }

    /// <summary>The row count of gradient slices must be a multiple of this; 0 when the whole gradient is needed at once.</summary>
    public virtual int SliceRows => 1;

    protected OptimizerOptions Options { get; } = options;

    /// <summary>Updates the state and rewrites the weight's rows in place. The gradient's content is consumed.</summary>
    /// <param name="gradient">[rows, columns] F32 or BF16.</param>
    /// <param name="firstRow">The weight's row of the gradient's row 0.</param>
    public abstract void Update(IDevice device, in UpdateContext context, Tensor gradient, int firstRow);

    /// <summary>W -= coefficient * G, and weight decay.</summary>
    protected void Apply(IDevice device, in UpdateContext context, Tensor gradient, int firstRow, Tensor coefficients, ChannelAxis axis)
    {
        var scalars = new UpdateScalars(
            1f - (context.LearningRate * Options.WeightDecay), Options.DecayFirst, context.Rounding, context.Regrid,
            firstRow, context.Seed, (uint)Weight.Parameter.Index, context.Step);
        device.ApplyUpdate(Weight.Stored.RowRange(firstRow, gradient.Rows), gradient, coefficients, axis, scalars, context.Counts);
    }

    /// <summary>The Adam scalars of an update.</summary>
    protected AdamScalars AdamAt(in UpdateContext context) => new(
        (float)Options.Beta1, (float)Options.Beta2, (float)(1 - Options.Beta1), (float)(1 - Options.Beta2), Options.Epsilon,
        (float)(1 - context.Decays.FirstAt(context.Step)), (float)Math.Sqrt(1 - context.Decays.SecondAt(context.Step)), Options.BiasCorrection);

    /// <summary>The learning rate, with Adam's bias correction where it acts in the step size.</summary>
    protected static float StepSize(float learningRate, in AdamScalars adam) =>
        adam.BiasCorrection == BiasCorrection.StepSize ? learningRate * adam.Correction2 / adam.Correction1 : learningRate;
}
