using QApollo.Devices;

namespace QApollo.Models;

/// <summary>Where a backward pass puts the gradients of weights.</summary>
public interface IGradientSink
{
    /// <summary>Adds the gradient of y = x Wᵀ for one micro-batch: outputGradientᵀ input.</summary>
    /// <param name="outputGradient">[N, O].</param>
    /// <param name="input">[N, C].</param>
    void AddLinear(IDevice device, Weight weight, Tensor outputGradient, Tensor input);

    /// <summary>The micro-batch has added its gradient and used the weight for the last time: the sink may update it.</summary>
    void Release(IDevice device, Weight weight);

    /// <summary>Reverses an RMSNorm for one micro-batch and adds the gradient of its weight.</summary>
    /// <param name="outputGradient">[N, H].</param>
    /// <param name="input">[N, H]: what the norm read.</param>
    /// <param name="inputGradient">[N, H]: added to.</param>
    void AddNorm(IDevice device, Weight weight, Tensor outputGradient, Tensor input, Tensor inverseRms, Tensor inputGradient);
}
