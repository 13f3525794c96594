using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Training;

/// <summary>
/// Weights of the layer that is being computed, dequantized once for all micro-batches of its pass, on devices that
/// gain from it. With one micro-batch nothing is gained: it is not enabled, and declares nothing.
/// </summary>
public sealed class LayerExpansions
{
    private readonly bool _enabled;

    public LayerExpansions(TensorTable table, ModelWeights weights, DeviceProfile profile, bool isEnabled)
    {
        _enabled = isEnabled;
        if (!_enabled)
        {
            return;
        }

        for (int matrix = 0; matrix < weights.Layers[0].Matrices.Length; matrix++)
        {
            Parameter parameter = weights.Layers[0].Matrices[matrix].Parameter;
            PlannedTensor? Declare(WeightUse use) => table.Scratch(
                $"expanded.{parameter.Role}.{use}", profile.ExpandedWeightBytes(parameter.Rows, parameter.Columns, use), TensorCategory.Workspace,
                persistent: false);
            PlannedTensor? forward = Declare(WeightUse.Forward);
            PlannedTensor? inputGradient = profile.SharesExpansions ? forward : Declare(WeightUse.InputGradient);
            foreach (LayerWeights layer in weights.Layers)
            {
                layer.Matrices[matrix].ForwardExpansion = forward;
                layer.Matrices[matrix].InputGradientExpansion = inputGradient;
            }
        }
    }

    public void ExpandForForward(IDevice device, LayerWeights layer)
    {
        foreach (Weight weight in layer.Matrices)
        {
            Expand(device, weight, WeightUse.Forward, weight.ForwardExpansion);
        }
    }

    /// <summary>The backward pass recomputes all of the layer but its last product.</summary>
    public void ExpandForBackward(IDevice device, LayerWeights layer)
    {
        foreach (Weight weight in layer.Matrices)
        {
            Expand(device, weight, WeightUse.InputGradient, weight.InputGradientExpansion);
            if (weight != layer.Down && weight.ForwardExpansion != weight.InputGradientExpansion)
            {
                Expand(device, weight, WeightUse.Forward, weight.ForwardExpansion);
            }
        }
    }

    private void Expand(IDevice device, Weight weight, WeightUse use, PlannedTensor? expansion)
    {
        if (_enabled && expansion is not null)
        {
            device.ExpandWeight(weight.Stored, use, expansion);
        }
    }
}
