using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Models;

/// <summary>
/// One LLaMA decoder layer, forward and backward, for one micro-batch. Each line of the backward pass reverses a line
/// of the forward pass, from the last to the first. With a key/value cache it goes forward only.
/// </summary>
public sealed class DecoderLayer(LlamaConfig config, LayerActivations activations, RotaryTable rotary)
{
    private readonly LayerActivations a = activations;

    /// <summary>output = layer(input).</summary>
    /// <param name="input">[N, H]: kept, where the output is elsewhere.</param>
    /// <param name="output">[N, H]; may be <paramref name="input"/>.</param>
    /// <param name="documentStarts">I32 [1, N]: attention stays within documents, see <see cref="IDevice.AttentionForward"/>; absent for whole sequences.</param>
    public void Forward(IDevice device, LayerWeights w, Tensor input, Tensor output, Tensor documentStarts = default) =>
        Forward(device, w, input, output, WholeSequences(documentStarts));

    /// <summary>As the other one, with keys and values of earlier tokens.</summary>
    /// <param name="context">Its shape has as many queries as <paramref name="input"/> has rows.</param>
    public void Forward(IDevice device, LayerWeights w, Tensor input, Tensor output, in AttentionContext context)
    {
        ForwardToActivated(device, w, input, context);
        device.LinearForward(a.Activated, w.Down, output, addend: a.Middle);
        AddBias(device, output, w.DownBias);
    }

    /// <summary>
    /// Recomputes the layer from its input, then turns the gradient of its output into that of its input, in place.
    /// A weight's gradient comes before that of its input: what the product read is then dead, and its memory free.
    /// Norms are computed again before their output is needed again, for the same reason.
    /// </summary>
    /// <param name="input">[N, H]: the boundary kept by the forward pass.</param>
    /// <param name="gradient">[N, H]: of the output before, of the input after.</param>
    /// <param name="documentStarts">Those of the forward pass.</param>
    public void Backward(IDevice device, LayerWeights w, Tensor input, Tensor gradient, IGradientSink sink, Tensor documentStarts = default)
    {
        ForwardToActivated(device, w, input, WholeSequences(documentStarts));

        BackBias(device, sink, w.DownBias, gradient);
        BackLinear(device, sink, w.Down, gradient, a.Activated, a.ActivatedGradient, accumulate: false);
        device.SwiGluBackward(a.Gate, a.Up, a.ActivatedGradient, a.Gate, a.Up);
        BackBias(device, sink, w.UpBias, a.Up);
        BackBias(device, sink, w.GateBias, a.Gate);
        Normalize(device, a.Middle, w.PostAttentionNorm, a.PostNormed, a.PostInverseRms);
        BackLinear(device, sink, w.Up, a.Up, a.PostNormed, a.NormedGradient, accumulate: false);
        BackLinear(device, sink, w.Gate, a.Gate, a.PostNormed, a.NormedGradient, accumulate: true);
        sink.AddNorm(device, w.PostAttentionNorm, a.NormedGradient, a.Middle, a.PostInverseRms, gradient, accumulate: true);

        BackBias(device, sink, w.OutputBias, gradient);
        BackLinear(device, sink, w.Output, gradient, a.Attention, a.AttentionGradient, accumulate: false);
        device.AttentionBackward(
            a.Query, a.Key, a.Value, a.Attention, a.LogSumExp, a.AttentionGradient, a.Shape,
            a.Delta, a.QueryGradient, a.KeyGradient, a.ValueGradient, documentStarts);
        Rotate(device, a.QueryGradient, a.KeyGradient, firstPosition: 0, inverse: true, documentStarts);
        BackHeadNorm(device, sink, w.KeyNorm, a.KeyGradient, a.KeyProjected, a.KeyInverseRms);
        BackHeadNorm(device, sink, w.QueryNorm, a.QueryGradient, a.QueryProjected, a.QueryInverseRms);
        BackBias(device, sink, w.ValueBias, a.ValueGradient);
        BackBias(device, sink, w.KeyBias, a.KeyGradient);
        BackBias(device, sink, w.QueryBias, a.QueryGradient);
        Normalize(device, input, w.InputNorm, a.Normed, a.InverseRms);
        BackLinear(device, sink, w.Value, a.ValueGradient, a.Normed, a.NormedGradient, accumulate: false);
        BackLinear(device, sink, w.Key, a.KeyGradient, a.Normed, a.NormedGradient, accumulate: true);
        BackLinear(device, sink, w.Query, a.QueryGradient, a.Normed, a.NormedGradient, accumulate: true);
        sink.AddNorm(device, w.InputNorm, a.NormedGradient, input, a.InverseRms, gradient, accumulate: true);
    }

    private static void BackLinear(
        IDevice device, IGradientSink sink, Weight weight, Tensor outputGradient, Tensor input, Tensor inputGradient, bool accumulate)
    {
        sink.AddLinear(device, weight, outputGradient, input);
        device.LinearInputGradient(outputGradient, weight, inputGradient, accumulate);
        sink.Release(device, weight);
    }

    private static void BackBias(IDevice device, IGradientSink sink, Weight? bias, Tensor outputGradient)
    {
        if (bias is not null)
        {
            sink.AddBias(device, bias, outputGradient);
        }
    }

    /// <summary>Turns the gradient of normed queries or keys into that of what the norm read, in place.</summary>
    private static void BackHeadNorm(
        IDevice device, IGradientSink sink, Weight? norm, Tensor gradient, PlannedTensor? projected, PlannedTensor? inverseRms)
    {
        if (norm is not null)
        {
            Tensor heads = Heads(gradient, norm);
            sink.AddNorm(device, norm, heads, Heads(projected!, norm), inverseRms!.View.Reshape(1, heads.Rows), heads, accumulate: false);
        }
    }

    /// <summary>Every token of the micro-batch's sequences is there: nothing comes from a cache.</summary>
    private AttentionContext WholeSequences(Tensor documentStarts) =>
        new(a.Key, a.Value, a.Key, a.Value, a.Shape, FirstPosition: 0, documentStarts);

    private void ForwardToActivated(IDevice device, LayerWeights w, Tensor input, in AttentionContext context)
    {
        Normalize(device, input, w.InputNorm, a.Normed, a.InverseRms);
        Project(device, w.Query, w.QueryBias, w.QueryNorm, a.QueryProjected, a.QueryInverseRms, a.Query);
        Project(device, w.Key, w.KeyBias, w.KeyNorm, a.KeyProjected, a.KeyInverseRms, context.NewKeys);
        device.LinearForward(a.Normed, w.Value, context.NewValues);
        AddBias(device, context.NewValues, w.ValueBias);
        Rotate(device, a.Query, context.NewKeys, context.FirstPosition, inverse: false, context.DocumentStarts);
        device.AttentionForward(a.Query, context.Keys, context.Values, context.Shape, a.Attention, a.LogSumExp, context.DocumentStarts);
        device.LinearForward(a.Attention, w.Output, a.Middle, addend: input);
        AddBias(device, a.Middle, w.OutputBias);

        Normalize(device, a.Middle, w.PostAttentionNorm, a.PostNormed, a.PostInverseRms);
        device.LinearForward(a.PostNormed, w.Gate, a.Gate);
        AddBias(device, a.Gate, w.GateBias);
        device.LinearForward(a.PostNormed, w.Up, a.Up);
        AddBias(device, a.Up, w.UpBias);
        device.SwiGluForward(a.Gate, a.Up, a.Activated);
    }

    /// <summary>Queries or keys before the rotary embedding, with their bias and head norm where the model has them.</summary>
    private void Project(
        IDevice device, Weight weight, Weight? bias, Weight? norm, PlannedTensor? projected, PlannedTensor? inverseRms, Tensor output)
    {
        Tensor product = projected?.View ?? output;
        device.LinearForward(a.Normed, weight, product);
        AddBias(device, product, bias);
        if (norm is not null)
        {
            Tensor heads = Heads(product, norm);
            Normalize(device, heads, norm, Heads(output, norm), inverseRms!.View.Reshape(1, heads.Rows));
        }
    }

    private static void AddBias(IDevice device, Tensor values, Weight? bias)
    {
        if (bias is not null)
        {
            device.AddBias(values, bias.Values);
        }
    }

    /// <summary>[N, heads * D] as [N * heads, D]: a head norm's rows.</summary>
    private static Tensor Heads(Tensor values, Weight norm)
    {
        int headDim = norm.Parameter.Columns;
        return values.Reshape(values.Rows * (values.Columns / headDim), headDim);
    }

    private void Normalize(IDevice device, Tensor input, Weight norm, Tensor output, Tensor inverseRms) =>
        device.RmsNormForward(input, norm.Values, (float)config.RmsNormEps, output, inverseRms);

    private void Rotate(IDevice device, Tensor query, Tensor key, int firstPosition, bool inverse, Tensor documentStarts)
    {
        device.RotaryEmbedding(query, rotary.Cosine, rotary.Sine, a.Shape.QueryLength, firstPosition, inverse, documentStarts);
        device.RotaryEmbedding(key, rotary.Cosine, rotary.Sine, a.Shape.QueryLength, firstPosition, inverse, documentStarts);
    }
}
