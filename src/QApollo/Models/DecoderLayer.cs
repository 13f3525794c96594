using QApollo.Devices;

namespace QApollo.Models;

/// <summary>
/// One LLaMA decoder layer, forward and backward, for one micro-batch. Each line of the backward pass reverses a line
/// of the forward pass, from the last to the first. With a key/value cache it goes forward only.
/// </summary>
public sealed class DecoderLayer(LlamaConfig config, LayerActivations activations, RotaryTable rotary)
{
    private readonly LayerActivations a = activations;

    /// <summary>output = layer(input).</summary>
    /// <param name="input">[N, H]: kept.</param>
    /// <param name="output">[N, H].</param>
    public void Forward(IDevice device, LayerWeights w, Tensor input, Tensor output) => Forward(device, w, input, output, WholeSequences);

    /// <summary>As the other one, with keys and values of earlier tokens.</summary>
    /// <param name="context">Its shape has as many queries as <paramref name="input"/> has rows.</param>
    public void Forward(IDevice device, LayerWeights w, Tensor input, Tensor output, in AttentionContext context)
    {
        ForwardToActivated(device, w, input, context);
        device.LinearForward(a.Activated, w.Down, output, addend: a.Middle);
    }

    /// <summary>
    /// Recomputes the layer from its input, then turns the gradient of its output into that of its input, in place.
    /// A weight's gradient is handed over after the weight was used for the last time, so the sink may update it.
    /// </summary>
    /// <param name="input">[N, H]: the boundary kept by the forward pass.</param>
    /// <param name="gradient">[N, H]: of the output before, of the input after.</param>
    public void Backward(IDevice device, LayerWeights w, Tensor input, Tensor gradient, IGradientSink sink)
    {
        ForwardToActivated(device, w, input, WholeSequences);

        device.LinearInputGradient(gradient, w.Down, a.ActivatedGradient, accumulate: false);
        sink.AddLinear(device, w.Down, gradient, a.Activated);
        device.SwiGluBackward(a.Gate, a.Up, a.ActivatedGradient, a.Gate, a.Up);
        device.LinearInputGradient(a.Up, w.Up, a.NormedGradient, accumulate: false);
        sink.AddLinear(device, w.Up, a.Up, a.PostNormed);
        device.LinearInputGradient(a.Gate, w.Gate, a.NormedGradient, accumulate: true);
        sink.AddLinear(device, w.Gate, a.Gate, a.PostNormed);
        sink.AddNorm(device, w.PostAttentionNorm, a.NormedGradient, a.Middle, a.PostInverseRms, gradient);

        device.LinearInputGradient(gradient, w.Output, a.AttentionGradient, accumulate: false);
        sink.AddLinear(device, w.Output, gradient, a.Attention);
        device.AttentionBackward(
            a.Query, a.Key, a.Value, a.Attention, a.LogSumExp, a.AttentionGradient, a.Shape,
            a.Delta, a.QueryGradient, a.KeyGradient, a.ValueGradient);
        Rotate(device, a.QueryGradient, a.KeyGradient, firstPosition: 0, inverse: true);
        device.LinearInputGradient(a.ValueGradient, w.Value, a.NormedGradient, accumulate: false);
        sink.AddLinear(device, w.Value, a.ValueGradient, a.Normed);
        device.LinearInputGradient(a.KeyGradient, w.Key, a.NormedGradient, accumulate: true);
        sink.AddLinear(device, w.Key, a.KeyGradient, a.Normed);
        device.LinearInputGradient(a.QueryGradient, w.Query, a.NormedGradient, accumulate: true);
        sink.AddLinear(device, w.Query, a.QueryGradient, a.Normed);
        sink.AddNorm(device, w.InputNorm, a.NormedGradient, input, a.InverseRms, gradient);
    }

    /// <summary>Every token of the micro-batch's sequences is there: nothing comes from a cache.</summary>
    private AttentionContext WholeSequences => new(a.Key, a.Value, a.Key, a.Value, a.Shape, FirstPosition: 0);

    private void ForwardToActivated(IDevice device, LayerWeights w, Tensor input, in AttentionContext context)
    {
        float epsilon = (float)config.RmsNormEps;
        device.RmsNormForward(input, w.InputNorm.Values, epsilon, a.Normed, a.InverseRms);
        device.LinearForward(a.Normed, w.Query, a.Query);
        device.LinearForward(a.Normed, w.Key, context.NewKeys);
        device.LinearForward(a.Normed, w.Value, context.NewValues);
        Rotate(device, a.Query, context.NewKeys, context.FirstPosition, inverse: false);
        device.AttentionForward(a.Query, context.Keys, context.Values, context.Shape, a.Attention, a.LogSumExp);
        device.LinearForward(a.Attention, w.Output, a.Middle, addend: input);

        device.RmsNormForward(a.Middle, w.PostAttentionNorm.Values, epsilon, a.PostNormed, a.PostInverseRms);
        device.LinearForward(a.PostNormed, w.Gate, a.Gate);
        device.LinearForward(a.PostNormed, w.Up, a.Up);
        device.SwiGluForward(a.Gate, a.Up, a.Activated);
    }

    private void Rotate(IDevice device, Tensor query, Tensor key, int firstPosition, bool inverse)
    {
        device.RotaryEmbedding(query, rotary.Cosine, rotary.Sine, a.Shape.QueryLength, firstPosition, inverse);
        device.RotaryEmbedding(key, rotary.Cosine, rotary.Sine, a.Shape.QueryLength, firstPosition, inverse);
    }
}
