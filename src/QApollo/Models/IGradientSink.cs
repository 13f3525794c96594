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

    /// <summary>Adds the gradient of a bias for one micro-batch, the sum of its output's over the tokens, and releases it.</summary>
    /// <param name="outputGradient">[N, O].</param>
    void AddBias(IDevice device, Weight bias, Tensor outputGradient);

    /// <summary>Reverses an RMSNorm for one micro-batch, adds the gradient of its weight, and releases it.</summary>
    /// <param name="outputGradient">[n, C].</param>
    /// <param name="input">[n, C]: what the norm read.</param>
    /// <param name="inputGradient">[n, C]; may be <paramref name="outputGradient"/> when not accumulated.</param>
    /// <param name="accumulate">Add to <paramref name="inputGradient"/>.</param>
    void AddNorm(
        IDevice device, Weight weight, Tensor outputGradient, Tensor input, Tensor inverseRms, Tensor inputGradient, bool accumulate);
}
