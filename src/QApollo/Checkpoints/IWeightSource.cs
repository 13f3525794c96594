using QApollo.Devices;
using QApollo.Models;

namespace QApollo.Checkpoints;

/// <summary>Where the weights of a model come from.</summary>
public interface IWeightSource
{
    /// <summary>Brings the weights to the device, layer by layer: there is never a second copy of the model.</summary>
    /// <param name="weights">Of a model of the source's shape.</param>
    /// <exception cref="RunFailedException">The disk fails.</exception>
    void Load(IDevice device, ModelWeights weights, WeightStaging staging);
}
