using QApollo.Models;
using static QApollo.TestSupport.ReferenceOperators;

namespace QApollo.TestSupport;

/// <summary>
/// One decoder layer in binary64: x + attention(norm(x)), then that + MLP(norm(that)). Forward keeps what backward needs.
/// </summary>
internal sealed class ReferenceLlamaLayer(
    LlamaConfig config, int layer, int sequence, IReadOnlyDictionary<string, double[]> weights, IReadOnlyDictionary<string, double[]> gradients)
{
    private readonly double[] frequencies = RotaryFrequencies.Of(config);
    private readonly ReferenceAttention attention = new(sequence, config.NumAttentionHeads, config.NumKeyValueHeads, config.HeadDim);
    private double[] input = [];
    private double[] attentionIn = [];
    private double[] projectedQ = [];
    private double[] projectedK = [];
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
        projectedQ = Project("self_attn.q_proj", attentionIn, config.HiddenSize);
        projectedK = Project("self_attn.k_proj", attentionIn, config.HiddenSize);
        q = HeadNorm("self_attn.q_norm", projectedQ);
        k = HeadNorm("self_attn.k_norm", projectedK);
        v = Project("self_attn.v_proj", attentionIn, config.HiddenSize);
        RotateQueriesAndKeys(q, k, backward: false);
        attentionOut = attention.Forward(q, k, v);
        middle = Add(x, Project("self_attn.o_proj", attentionOut, config.QuerySize));

        mlpIn = RmsNorm(middle, Weight("post_attention_layernorm"), config.RmsNormEps);
        gate = Project("mlp.gate_proj", mlpIn, config.HiddenSize);
        up = Project("mlp.up_proj", mlpIn, config.HiddenSize);
        activation = SwiGlu(gate, up);
        return Add(middle, Project("mlp.down_proj", activation, config.IntermediateSize));
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
        dq = BackwardHeadNorm("self_attn.q_norm", projectedQ, dq);
        dk = BackwardHeadNorm("self_attn.k_norm", projectedK, dk);
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
        double factor = config.RopeScaling?.AttentionFactor ?? 1;
        Rotate(queries, sequence, config.QuerySize, frequencies, factor, backward);
        Rotate(keys, sequence, config.KeyValueSize, frequencies, factor, backward);
    }

    /// <summary>The product, and the bias where the weights have one of that name.</summary>
    private double[] Project(string name, double[] x, int inFeatures)
    {
        double[] y = Linear(x, Weight(name), inFeatures);
        if (weights.TryGetValue(Bias(name), out double[]? bias))
        {
            for (int i = 0; i < y.Length; i++)
            {
                y[i] += bias[i % bias.Length];
            }
        }

        return y;
    }

    private double[] HeadNorm(string name, double[] x) =>
        weights.TryGetValue(Name(name), out double[]? gain) ? RmsNorm(x, gain, config.RmsNormEps) : [.. x];

    private double[] BackwardHeadNorm(string name, double[] x, double[] dy)
    {
        if (!weights.ContainsKey(Name(name)))
        {
            return dy;
        }

        double[] dx = new double[dy.Length];
        BackwardNorm(name, x, dy, dx);
        return dx;
    }

    private void BackwardLinear(string name, double[] x, double[] dy, int inFeatures, double[] dx)
    {
        LinearBackward(x, Weight(name), dy, inFeatures, dx, gradients[Name(name)]);
        if (gradients.TryGetValue(Bias(name), out double[]? dBias))
        {
            for (int i = 0; i < dy.Length; i++)
            {
                dBias[i % dBias.Length] += dy[i];
            }
        }
    }

    private void BackwardNorm(string name, double[] x, double[] dy, double[] dx) =>
        RmsNormBackward(x, Weight(name), config.RmsNormEps, dy, dx, gradients[Name(name)]);

    private double[] Weight(string name) => weights[Name(name)];

    private string Name(string name) => $"model.layers.{layer}.{name}.weight";

    private string Bias(string name) => $"model.layers.{layer}.{name}.bias";
}
