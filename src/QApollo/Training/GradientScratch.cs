using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Training;

/// <summary>
/// The gradients of one layer. The first micro-batch writes them, later ones add, the last one releases each as soon
/// as it is complete. With one micro-batch they never live together, so the plan gives them one matrix's memory.
/// </summary>
public sealed class GradientScratch : IGradientSink
{
    private readonly GradientRelease _release;
    private readonly PlannedTensor[] _byRole = new PlannedTensor[Enum.GetValues<ParameterRole>().Length];
    private bool _first;
    private bool _last;

    /// <param name="name">Of the tensors; each role's follows.</param>
    public GradientScratch(TensorTable table, string name, IEnumerable<Weight> layerWeights, DType dtype, GradientRelease release)
    {
        _release = release;
        foreach (Weight weight in layerWeights)
        {
            Parameter parameter = weight.Parameter;
            _byRole[(int)parameter.Role] = table.Transient(
                $"{name}.{parameter.Role}", parameter.IsVector ? DType.F32 : dtype, parameter.Rows, parameter.Columns, TensorCategory.Gradients);
        }
    }

    /// <summary>Says which of the step's micro-batches the following gradients are of.</summary>
    public void BeginMicroBatch(bool first, bool last) => (_first, _last) = (first, last);

    public void AddLinear(IDevice device, Weight weight, Tensor outputGradient, Tensor input) =>
        device.LinearWeightGradient(outputGradient, input, Of(weight), accumulate: !_first);

    public void Release(IDevice device, Weight weight)
    {
        if (_last)
        {
            _release.Release(device, weight, Of(weight));
        }
    }

    public void AddBias(IDevice device, Weight bias, Tensor outputGradient)
    {
        device.BiasGradient(outputGradient, Of(bias), accumulate: !_first);
        Release(device, bias);
    }

    public void AddNorm(
        IDevice device, Weight weight, Tensor outputGradient, Tensor input, Tensor inverseRms, Tensor inputGradient, bool accumulate)
    {
        device.RmsNormBackward(
            outputGradient, input, weight.Values, inverseRms, inputGradient, accumulate, Of(weight), accumulateWeight: !_first);
        Release(device, weight);
    }

    private PlannedTensor Of(Weight weight) => _byRole[(int)weight.Parameter.Role];
}
