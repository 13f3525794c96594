using QApollo.Models;
using static QApollo.TestSupport.ReferenceOperators;

namespace QApollo.TestSupport;

/// <summary>
/// One decoder layer in binary64: x + attention(norm(x)), then that + MLP(norm(that)). Forward keeps what backward needs.
/// </summary>
internal sealed class ReferenceLlamaLayer(
    LlamaConfig config, int layer, int sequence, IReadOnlyDictionary<string, double[]> weights, IReadOnlyDictionary<string, double[]> gradients)
{
    private readonly ReferenceAttention attention = new(sequence, config.NumAttentionHeads, config.NumKeyValueHeads, config.HeadDim);
    private double[] input = [];
    private double[] attentionIn = [];
    private double[] q = [];
    private double[] k = [];
    private double[] v = [];
    private double[] attentionOut = [];
    private double[] middle = [];
    private double[] mlpIn = [];
    private double[] gate = [];
    private double[] up = [];
    private double[] activation = [];

    /// <param name="x">[N, hidden].</param>
    public double[] Forward(double[] x)
    {
        input = x;
        attentionIn = RmsNorm(x, Weight("input_layernorm"), config.RmsNormEps);
        q = Linear(attentionIn, Weight("self_attn.q_proj"), config.HiddenSize);
        k = Linear(attentionIn, Weight("self_attn.k_proj"), config.HiddenSize);
        v = Linear(attentionIn, Weight("self_attn.v_proj"), config.HiddenSize);
        RotateQueriesAndKeys(q, k, backward: false);
        attentionOut = attention.Forward(q, k, v);
        middle = Add(x, Linear(attentionOut, Weight("self_attn.o_proj"), config.QuerySize));

        mlpIn = RmsNorm(middle, Weight("post_attention_layernorm"), config.RmsNormEps);
        gate = Linear(mlpIn, Weight("mlp.gate_proj"), config.HiddenSize);
        up = Linear(mlpIn, Weight("mlp.up_proj"), config.HiddenSize);
        activation = SwiGlu(gate, up);
        return Add(middle, Linear(activation, Weight("mlp.down_proj"), config.IntermediateSize));
    }

    /// <summary>Adds to the gradients of the layer's weights and gives the gradient of its input.</summary>
    public double[] Backward(double[] dOutput)
    {
        double[] dActivation = new double[activation.Length];
        BackwardLinear("mlp.down_proj", activation, dOutput, config.IntermediateSize, dActivation);
        var (dGate, dUp) = SwiGluBackward(gate, up, dActivation);
        double[] dMlpIn = new double[mlpIn.Length];
        BackwardLinear("mlp.gate_proj", mlpIn, dGate, config.HiddenSize, dMlpIn);
        BackwardLinear("mlp.up_proj", mlpIn, dUp, config.HiddenSize, dMlpIn);
        double[] dMiddle = [.. dOutput];
        BackwardNorm("post_attention_layernorm", middle, dMlpIn, dMiddle);

        double[] dAttentionOut = new double[attentionOut.Length];
        BackwardLinear("self_attn.o_proj", attentionOut, dMiddle, config.QuerySize, dAttentionOut);
        var (dq, dk, dv) = attention.Backward(q, k, v, dAttentionOut);
        RotateQueriesAndKeys(dq, dk, backward: true);
        double[] dAttentionIn = new double[attentionIn.Length];
        BackwardLinear("self_attn.q_proj", attentionIn, dq, config.HiddenSize, dAttentionIn);
        BackwardLinear("self_attn.k_proj", attentionIn, dk, config.HiddenSize, dAttentionIn);
        BackwardLinear("self_attn.v_proj", attentionIn, dv, config.HiddenSize, dAttentionIn);
        double[] dInput = [.. dMiddle];
        BackwardNorm("input_layernorm", input, dAttentionIn, dInput);
        return dInput;
    }

    private void RotateQueriesAndKeys(double[] queries, double[] keys, bool backward)
    {
        Rotate(queries, sequence, config.QuerySize, config.HeadDim, config.RopeTheta, backward);
        Rotate(keys, sequence, config.KeyValueSize, config.HeadDim, config.RopeTheta, backward);
    }

    private void BackwardLinear(string name, double[] x, double[] dy, int inFeatures, double[] dx) =>
        LinearBackward(x, Weight(name), dy, inFeatures, dx, gradients[Name(name)]);

    private void BackwardNorm(string name, double[] x, double[] dy, double[] dx) =>
        RmsNormBackward(x, Weight(name), config.RmsNormEps, dy, dx, gradients[Name(name)]);

    private double[] Weight(string name) => weights[Name(name)];

    private string Name(string name) => $"model.layers.{layer}.{name}.weight";
}
