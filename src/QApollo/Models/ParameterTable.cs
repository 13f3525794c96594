namespace QApollo.Models;

/// <summary>
/// Every parameter of a model in one list, by its Hugging Face name; a tied head has no parameter of its own. Biases and
/// head norms follow a layer's other parameters, so that models without them keep their order.
/// </summary>
public static class ParameterTable
{
    public static IReadOnlyList<Parameter> Of(LlamaConfig config)
    {
        var table = new List<Parameter>();
        int hidden = config.HiddenSize;
        int queries = config.NumAttentionHeads * config.HeadDim;
        int keys = config.NumKeyValueHeads * config.HeadDim;
        void Add(string name, ParameterRole role, int layer, int rows, int columns) =>
            table.Add(new Parameter(table.Count, name, role, layer, rows, columns));

        Add("model.embed_tokens.weight", ParameterRole.Embedding, -1, config.VocabSize, hidden);
        for (int layer = 0; layer < config.NumHiddenLayers; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            Add(prefix + "self_attn.q_proj.weight", ParameterRole.Query, layer, queries, hidden);
            Add(prefix + "self_attn.k_proj.weight", ParameterRole.Key, layer, keys, hidden);
            Add(prefix + "self_attn.v_proj.weight", ParameterRole.Value, layer, keys, hidden);
            Add(prefix + "self_attn.o_proj.weight", ParameterRole.Output, layer, hidden, queries);
            Add(prefix + "mlp.gate_proj.weight", ParameterRole.Gate, layer, config.IntermediateSize, hidden);
            Add(prefix + "mlp.up_proj.weight", ParameterRole.Up, layer, config.IntermediateSize, hidden);
            Add(prefix + "mlp.down_proj.weight", ParameterRole.Down, layer, hidden, config.IntermediateSize);
            Add(prefix + "input_layernorm.weight", ParameterRole.InputNorm, layer, 1, hidden);
            Add(prefix + "post_attention_layernorm.weight", ParameterRole.PostAttentionNorm, layer, 1, hidden);
            if (config.QueryKeyValueBias)
            {
                Add(prefix + "self_attn.q_proj.bias", ParameterRole.QueryBias, layer, 1, queries);
                Add(prefix + "self_attn.k_proj.bias", ParameterRole.KeyBias, layer, 1, keys);
                Add(prefix + "self_attn.v_proj.bias", ParameterRole.ValueBias, layer, 1, keys);
            }

            if (config.OutputBias)
            {
                Add(prefix + "self_attn.o_proj.bias", ParameterRole.OutputBias, layer, 1, hidden);
            }

            if (config.MlpBias)
            {
                Add(prefix + "mlp.gate_proj.bias", ParameterRole.GateBias, layer, 1, config.IntermediateSize);
                Add(prefix + "mlp.up_proj.bias", ParameterRole.UpBias, layer, 1, config.IntermediateSize);
                Add(prefix + "mlp.down_proj.bias", ParameterRole.DownBias, layer, 1, hidden);
            }

            if (config.QueryKeyNorm)
            {
                Add(prefix + "self_attn.q_norm.weight", ParameterRole.QueryNorm, layer, 1, config.HeadDim);
                Add(prefix + "self_attn.k_norm.weight", ParameterRole.KeyNorm, layer, 1, config.HeadDim);
            }
        }

        Add("model.norm.weight", ParameterRole.FinalNorm, -1, 1, hidden);
        if (!config.TieWordEmbeddings)
        {
            Add("lm_head.weight", ParameterRole.Head, -1, config.VocabSize, hidden);
        }

        return table;
    }
}
