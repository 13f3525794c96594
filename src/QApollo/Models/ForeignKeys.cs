using System.Text.Json;

namespace QApollo.Models;

/// <summary>
/// Keys of other LLaMA-like classes of Hugging Face (Granite, Gemma, Cohere, Phi, OLMo, MiniCPM, SmolLM3, DeepSeek, mixtures of
/// experts, ...) that make another model than the one computed here, each with the value at which it changes nothing. A model
/// with another value is refused: skipping the key would train something else without a word.
/// </summary>
internal static class ForeignKeys
{
    /// <summary>Key, and the JSON of its neutral value; null for none but null itself.</summary>
    private static readonly (string Key, string? Neutral)[] Table =
    [
        // Scalars along the residual stream, at scores and at logits.
        ("embedding_multiplier", "1"), ("residual_multiplier", "1"), ("attention_multiplier", null), ("logits_scaling", "1"),
        ("logit_scale", "1"), ("scale_emb", "1"), ("scale_depth", null), ("dim_model_base", null), ("query_pre_attn_scalar", null),
        ("attn_logit_softcapping", null), ("final_logit_softcapping", null),

        // Positions.
        ("partial_rotary_factor", "1"), ("rotary_pct", "1"), ("rotary_dim", null), ("rotary_emb_base", null), ("rope_interleave", "false"),
        ("rope_interleaved", "false"), ("rope_local_base_freq", null), ("alibi", "false"), ("use_dynamic_ntk", "false"), ("use_mrope", "false"),
        ("use_logn_attn", "false"), ("position_embedding_type", "\"rope\""),

        // Attention.
        ("attention_dropout", "0"), ("attention_chunk_size", null), ("attn_temperature_tuning", "false"), ("clip_qkv", null),
        ("q_lora_rank", null), ("kv_lora_rank", null), ("v_head_dim", null), ("use_qk_norm", "false"), ("qk_norm", "false"), ("qk_layernorm", "false"),
        ("use_bidirectional_attention", "false"), ("is_causal", "true"), ("multi_query", "false"),

        // Biases under names that the supported classes do not have.
        ("bias", "false"), ("use_bias", "false"), ("use_qkv_bias", "false"), ("qkv_bias", "false"), ("attention_out_bias", "false"),
        ("lm_head_bias", "false"),

        // Dropout, experts, and blocks that are put together otherwise.
        ("hidden_dropout", "0"), ("resid_pdrop", "0"), ("residual_dropout", "0"), ("embd_pdrop", "0"), ("hidden_dropout_prob", "0"),
        ("attn_pdrop", "0"), ("attention_probs_dropout_prob", "0"), ("num_experts", "0"), ("num_local_experts", "0"), ("n_routed_experts", "0"),
        ("num_nextn_predict_layers", "0"), ("use_parallel_residual", "false"), ("parallel_attn", "false"), ("is_encoder_decoder", "false"),
        ("add_cross_attention", "false"), ("pruned_heads", "{}"), ("text_config", null), ("vision_config", null), ("per_layer_config", null),
    ];

    /// <exception cref="UsageException">One of the keys has a value that makes another model.</exception>
    public static void Refuse(in ConfigValues values)
    {
        foreach ((string key, string? neutral) in Table)
        {
            if (values.Find(key) is JsonElement value && !(neutral is not null && IsSame(value, neutral)))
            {
                string only = neutral is null ? "only models without it are" : $"only {neutral} is";
                throw values.Wrong($"{key} is {ConfigValues.Shown(value)}; {only} supported");
            }
        }

        RefuseLayersWithoutPositions(values);
    }

    /// <summary>SmolLM3 lists for each layer whether it has rotary embeddings: 1 for yes.</summary>
    private static void RefuseLayersWithoutPositions(in ConfigValues values)
    {
        if (values.Find("no_rope_layers") is JsonElement layers
            && !(layers.ValueKind == JsonValueKind.Array && layers.EnumerateArray().All(layer => IsSame(layer, "1"))))
        {
            throw values.Wrong($"no_rope_layers is {ConfigValues.Shown(layers)}; only models with rotary embeddings in every layer (1) are supported");
        }
    }

    private static bool IsSame(JsonElement value, string neutral)
    {
        using var document = JsonDocument.Parse(neutral);
        JsonElement wanted = document.RootElement;
        return value.ValueKind == wanted.ValueKind && value.ValueKind switch
        {
            JsonValueKind.Number => value.GetDouble() == wanted.GetDouble(),
            JsonValueKind.String => value.ValueEquals(wanted.GetString()),
            JsonValueKind.Object => !value.EnumerateObject().Any(),
            _ => true,
        };
    }
}
