using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Models;

/// <summary>
/// What one layer computes for one micro-batch of N tokens, and the gradients of it. One set serves all layers and
/// micro-batches; the memory plan lets tensors that do not live at the same time share memory.
/// H hidden, I intermediate, A attention width, K key/value width.
/// </summary>
public sealed class LayerActivations
{
    /// <param name="prefix">Start of the tensors' names.</param>
    public LayerActivations(
        TensorTable table, LlamaConfig config, DeviceProfile profile, AttentionShape attention, string prefix = "activation")
    {
        int tokens = attention.QueryRows;
        PlannedTensor Activation(string name, int columns) =>
            table.Transient($"{prefix}.{name}", profile.ActivationDType, tokens, columns, TensorCategory.Activations);
        PlannedTensor Statistic(string name, int rows) =>
            table.Transient($"{prefix}.{name}", DType.F32, rows, tokens, TensorCategory.Activations);

        Shape = attention;
        Normed = Activation("normed", config.HiddenSize);
        InverseRms = Statistic("inverse_rms", 1);
        if (config.QueryKeyNorm)
        {
            QueryProjected = Activation("query_projected", attention.QueryColumns);
            QueryInverseRms = Statistic("query_inverse_rms", attention.Heads);
            KeyProjected = Activation("key_projected", attention.KeyColumns);
            KeyInverseRms = Statistic("key_inverse_rms", attention.KeyValueHeads);
        }

        Query = Activation("query", attention.QueryColumns);
        Key = Activation("key", attention.KeyColumns);
        Value = Activation("value", attention.KeyColumns);
        Attention = Activation("attention", attention.QueryColumns);
        LogSumExp = Statistic("log_sum_exp", attention.Heads);
        Middle = Activation("middle", config.HiddenSize);
        PostNormed = Activation("post_normed", config.HiddenSize);
        PostInverseRms = Statistic("post_inverse_rms", 1);
        Gate = Activation("gate", config.IntermediateSize);
        Up = Activation("up", config.IntermediateSize);
        Activated = Activation("activated", config.IntermediateSize);
        ActivatedGradient = Activation("activated_gradient", config.IntermediateSize);
        NormedGradient = Activation("normed_gradient", config.HiddenSize);
        AttentionGradient = Activation("attention_gradient", attention.QueryColumns);
        Delta = Statistic("delta", attention.Heads);
        QueryGradient = Activation("query_gradient", attention.QueryColumns);
        KeyGradient = Activation("key_gradient", attention.KeyColumns);
        ValueGradient = Activation("value_gradient", attention.KeyColumns);
    }

    public AttentionShape Shape { get; }

    /// <summary>[N, H]: RMSNorm of the layer's input.</summary>
    public PlannedTensor Normed { get; }

    /// <summary>[1, N]</summary>
    public PlannedTensor InverseRms { get; }

    /// <summary>[N, A]: queries before their norm; null without head norms, as are the three that follow.</summary>
    public PlannedTensor? QueryProjected { get; }

    /// <summary>N * heads values, a token's heads side by side.</summary>
    public PlannedTensor? QueryInverseRms { get; }

    /// <summary>[N, K]: keys before their norm.</summary>
    public PlannedTensor? KeyProjected { get; }

    /// <summary>N * key/value heads values.</summary>
    public PlannedTensor? KeyInverseRms { get; }

    /// <summary>[N, A], rotated.</summary>
    public PlannedTensor Query { get; }

    /// <summary>[N, K], rotated.</summary>
    public PlannedTensor Key { get; }

    /// <summary>[N, K]</summary>
    public PlannedTensor Value { get; }

    /// <summary>[N, A]: the heads' outputs side by side.</summary>
    public PlannedTensor Attention { get; }

    /// <summary>[heads, N]</summary>
    public PlannedTensor LogSumExp { get; }

    /// <summary>[N, H]: input + attention block, the MLP block's residual.</summary>
    public PlannedTensor Middle { get; }

    /// <summary>[N, H]: RMSNorm of <see cref="Middle"/>.</summary>
    public PlannedTensor PostNormed { get; }

    /// <summary>[1, N]</summary>
    public PlannedTensor PostInverseRms { get; }

    /// <summary>[N, I]; holds its own gradient in the backward pass.</summary>
    public PlannedTensor Gate { get; }

    /// <summary>[N, I]; holds its own gradient in the backward pass.</summary>
    public PlannedTensor Up { get; }

    /// <summary>[N, I]: silu(gate) * up.</summary>
    public PlannedTensor Activated { get; }

    /// <summary>[N, I]</summary>
    public PlannedTensor ActivatedGradient { get; }

    /// <summary>[N, H]: gradient of either norm's output.</summary>
    public PlannedTensor NormedGradient { get; }

    /// <summary>[N, A]</summary>
    public PlannedTensor AttentionGradient { get; }

    /// <summary>[heads, N]</summary>
    public PlannedTensor Delta { get; }

    /// <summary>[N, A]</summary>
    public PlannedTensor QueryGradient { get; }

    /// <summary>[N, K]</summary>
    public PlannedTensor KeyGradient { get; }

    /// <summary>[N, K]</summary>
    public PlannedTensor ValueGradient { get; }
}
