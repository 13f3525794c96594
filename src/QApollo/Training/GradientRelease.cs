using QApollo.Collectives;
using QApollo.Devices;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Quantization;

namespace QApollo.Training;

/// <summary>A gradient that is complete over all micro-batches of the step, on all ranks.</summary>
/// <param name="Gradient">[rows, columns] F32 or BF16, on the device; a hook may change it in place.</param>
/// <param name="FirstRow">The parameter's row of the gradient's row 0: embedding and head may come in slices.</param>
/// <param name="Step">The update that it is for, 1, 2, ...</param>
public readonly record struct ReleasedGradient(Weight Weight, Tensor Gradient, int FirstRow, uint Step)
{
    public Parameter Parameter => Weight.Parameter;
}

/// <summary>
/// Watches or changes gradients as they are released (norms, clipping, logging). Called within the step, in the
/// order of release: head, layers from the last to the first, embedding. Work should stay on the device.
/// </summary>
public interface IReleaseHook
{
    /// <summary>The gradient is complete; the optimizer has not seen it yet.</summary>
    void BeforeUpdate(IDevice device, in ReleasedGradient released);

    /// <summary>The weight's rows are rewritten; the gradient's content is consumed.</summary>
    void AfterUpdate(IDevice device, in ReleasedGradient released)
    {
    }
}

/// <summary>Sums released gradients over the ranks, and passes them through the hooks to their optimizers.</summary>
public sealed class GradientRelease(
    ParameterOptimizer[] optimizers, StepStatistics statistics, QuantizationOptions quantization, ulong seed, IReadOnlyList<IReleaseHook> hooks)
{
    private readonly Queue<ReleasedGradient> _waiting = new();
    private uint _step;
    private float _learningRate;

    /// <summary>Adam's decays in the updates so far.</summary>
    public required DecayHistory Decays { get; set; }

    /// <summary>Off while the step is rehearsed: there is nothing to see yet.</summary>
    internal bool CallsHooks { get; set; }

    /// <summary>Null for one rank: gradients are complete as they are.</summary>
    internal GradientSum? OverRanks { get; set; }

    /// <summary>Gradients that are summed beside the computation: their updates wait until so many more are released.</summary>
    internal int Depth { get; init; }

    /// <summary>Whether gradients of a layer may wait while the next one is computed.</summary>
    internal bool ReachesOverLayers { get; init; }

    /// <summary>Says which update the following releases belong to.</summary>
    public void BeginStep(uint step, float learningRate)
    {
        (_step, _learningRate) = (step, learningRate);
        _waiting.EnsureCapacity(Depth + 1);
        _waiting.Clear();
    }

    public void Release(IDevice device, Weight weight, Tensor gradient, int firstRow = 0)
    {
        OverRanks?.Begin(device, gradient, weight.Parameter.IsVector);
        _waiting.Enqueue(new ReleasedGradient(weight, gradient, firstRow, _step));

        // The memory of a slice is that of the next one.
        Complete(device, left: gradient.Rows < weight.Parameter.Rows ? 0 : Depth);
    }

    /// <summary>The gradients of a layer are all released.</summary>
    public void EndLayer(IDevice device) => Complete(device, left: ReachesOverLayers ? Depth : 0);

    /// <summary>Those of the vocabulary are all released: too large to wait beside a layer.</summary>
    public void EndVocabulary(IDevice device) => Complete(device, left: 0);

    /// <summary>Updates the weights whose gradients wait, in the order of their release.</summary>
    private void Complete(IDevice device, int left)
    {
        while (_waiting.Count > left)
        {
            OverRanks?.End(device);
            Update(device, _waiting.Dequeue());
        }
    }

    private void Update(IDevice device, in ReleasedGradient released)
    {
        for (int i = 0; CallsHooks && i < hooks.Count; i++)
        {
            hooks[i].BeforeUpdate(device, released);
        }

        int parameter = released.Parameter.Index;
        var context = new UpdateContext(
            _step, _learningRate, Decays, seed, quantization.Rounding, quantization.Regrid,
            statistics.GradientSquares(parameter), statistics.Counts(parameter));
        optimizers[parameter].Update(device, context, released.Gradient, released.FirstRow);
        for (int i = 0; CallsHooks && i < hooks.Count; i++)
        {
            hooks[i].AfterUpdate(device, released);
        }
    }
}
