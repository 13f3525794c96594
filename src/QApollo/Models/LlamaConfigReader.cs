using System.Text.Json;

namespace QApollo.Models;

/// <summary>
/// Reads a <see cref="LlamaConfig"/> as Hugging Face's class of the model would: values that are left out take that class's
/// defaults, and a key that changes the model is understood or refused, never skipped. Ignored are the keys that change nothing:
/// <c>torch_dtype</c>, <c>use_cache</c>, <c>pad_token_id</c>, <c>pretraining_tp</c> (it cuts products, not their sums), ...
/// </summary>
internal static class LlamaConfigReader
{
    /// <param name="KeyValueHeads">When the key is missing; null for as many as attention heads.</param>
    /// <param name="HeadDim">When the key is missing; null for hidden size / heads.</param>
    /// <param name="SlidingWindow">When the key is missing.</param>
    private sealed record ClassDefaults(
        ModelArchitecture Architecture, string ModelType, string ClassName, int MaxPositions, int? KeyValueHeads = null, int? HeadDim = null,
        int? SlidingWindow = null);

    private static readonly ClassDefaults[] Classes =
    [
        new(ModelArchitecture.Llama, "llama", "LlamaForCausalLM", 2048),
        new(ModelArchitecture.Mistral, "mistral", "MistralForCausalLM", 131_072, KeyValueHeads: 8, SlidingWindow: 4096),
        new(ModelArchitecture.Qwen2, "qwen2", "Qwen2ForCausalLM", 32_768, KeyValueHeads: 32),
        new(ModelArchitecture.Qwen3, "qwen3", "Qwen3ForCausalLM", 32_768, KeyValueHeads: 32, HeadDim: 128),
    ];

    /// <summary>Hugging Face's <c>model_type</c> and class of an architecture.</summary>
    public static (string ModelType, string ClassName) Names(ModelArchitecture architecture)
    {
        ClassDefaults found = Classes.First(entry => entry.Architecture == architecture);
        return (found.ModelType, found.ClassName);
    }

    /// <exception cref="UsageException">A value missing or of the wrong kind, sizes that do not fit, or a model that is not supported.</exception>
    public static LlamaConfig Read(JsonElement document, string source)
    {
        var root = new ConfigValues(document, source);
        if (document.ValueKind != JsonValueKind.Object)
        {
            throw root.Wrong("not a JSON object; expected a Hugging Face config.json");
        }

        ClassDefaults defaults = FindClass(root);
        RefuseOtherModels(root);
        int hidden = root.Integer("hidden_size");
        int heads = root.Integer("num_attention_heads");
        int layers = root.Integer("num_hidden_layers");

        // max_sequence_length: the name in the configurations of GaLore and APOLLO.
        int maxPositions = root.Integer("max_position_embeddings", root.Integer("max_sequence_length", defaults.MaxPositions));
        (double theta, RotaryScaling? scaling) = RotaryConfigReader.Read(root, maxPositions);
        bool attentionBias = AttentionBias(root, defaults.Architecture);
        var config = new LlamaConfig
        {
            Architecture = defaults.Architecture,
            HiddenSize = hidden,
            IntermediateSize = root.Integer("intermediate_size"),
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            NumKeyValueHeads = root.Integer("num_key_value_heads", IsNull(document, "num_key_value_heads") ? heads : defaults.KeyValueHeads ?? heads),
            HeadDim = root.Has("head_dim") ? root.Integer("head_dim") : defaults.HeadDim ?? DeriveHeadDim(root, hidden, heads),
            VocabSize = root.Integer("vocab_size"),
            MaxPositionEmbeddings = maxPositions,
            RmsNormEps = root.Number("rms_norm_eps", 1e-6),
            RopeTheta = theta,
            RopeScaling = scaling,
            QueryKeyValueBias = attentionBias,
            OutputBias = attentionBias && defaults.Architecture != ModelArchitecture.Qwen2,
            MlpBias = MlpBias(root, defaults),
            QueryKeyNorm = defaults.Architecture == ModelArchitecture.Qwen3,
            SlidingWindow = SlidingWindow(root, document, defaults, layers),
            TieWordEmbeddings = root.Flag("tie_word_embeddings"),
            InitializerRange = root.Number("initializer_range", 0.02),
            BosTokenId = root.Token("bos_token_id"),
            EosTokenId = root.Token("eos_token_id"),
            OtherEosTokenIds = new TokenIds([.. root.Tokens("eos_token_id").Skip(1).Distinct()]),
        };
        return config.Validate(source);
    }

    private static ClassDefaults FindClass(in ConfigValues root)
    {
        string? type = root.Text("model_type");
        string? name = root.Texts("architectures")?.FirstOrDefault();
        ClassDefaults? found = type is not null ? Array.Find(Classes, entry => entry.ModelType == type)
            : name is not null ? Array.Find(Classes, entry => entry.ClassName.Equals(name, StringComparison.OrdinalIgnoreCase))
            : Classes[0];
        if (found is null)
        {
            string given = type is not null ? $"model_type is \"{type}\"" : $"architectures is [\"{name}\"]";
            throw root.Wrong($"{given}; supported are {string.Join(", ", Classes.Select(entry => entry.ModelType))}");
        }

        if (name is not null && !found.ClassName.Equals(name, StringComparison.OrdinalIgnoreCase))
        {
            throw root.Wrong($"architectures is [\"{name}\"], another class than {found.ClassName}, the language model of model_type \"{found.ModelType}\"");
        }

        return found;
    }

    private static void RefuseOtherModels(in ConfigValues root)
    {
        // One form holds this program's INT8 groups; its numbers are looked at where the weights are.
        if (root.Object("quantization_config") is { } quantization
            && !(quantization.Text("quant_method") == "compressed-tensors" && quantization.Text("format") == "pack-quantized"))
        {
            throw quantization.Wrong(
                $"the weights are quantized ({quantization.Text("quant_method") ?? "unknown method"}); take the model in BF16, F16 or F32: it is quantized here");
        }

        foreach (string activation in (ReadOnlySpan<string>)["hidden_act", "hidden_activation"])
        {
            if (root.Find(activation) is JsonElement value && root.Text(activation) is not ("silu" or "swish"))
            {
                throw root.Wrong($"{activation} is {ConfigValues.Shown(value)}; only \"silu\" is supported");
            }
        }

        ForeignKeys.Refuse(root);
    }

    /// <summary>Llama and Qwen3 have the key; Qwen2 always has biases and Mistral never, whatever a file says.</summary>
    private static bool AttentionBias(in ConfigValues root, ModelArchitecture architecture)
    {
        bool has = architecture == ModelArchitecture.Qwen2;
        bool said = root.Flag("attention_bias", has);
        return architecture is ModelArchitecture.Llama or ModelArchitecture.Qwen3 || said == has
            ? said
            : throw root.Wrong($"attention_bias is {(said ? "true" : "false")}, but a model of this type {(has ? "has" : "has no")} such biases");
    }

    private static bool MlpBias(in ConfigValues root, ClassDefaults defaults) =>
        root.Flag("mlp_bias") && (defaults.Architecture == ModelArchitecture.Llama
            ? true
            : throw root.Wrong($"mlp_bias is true, but a model of type {defaults.ModelType} has no such biases"));

    /// <summary>
    /// Qwen's windows need use_sliding_window and layers beyond max_window_layers, or a layer_types that names one; a window of some
    /// layers counts as one of all, since sequences that reach beyond it are refused.
    /// </summary>
    private static int? SlidingWindow(in ConfigValues root, JsonElement document, ClassDefaults defaults, int layers)
    {
        bool isQwen = defaults.Architecture is ModelArchitecture.Qwen2 or ModelArchitecture.Qwen3;
        bool anyLayer = !isQwen || (root.Flag("use_sliding_window") && root.Integer("max_window_layers", 28) < layers);
        if (root.Texts("layer_types") is { } types)
        {
            string? unknown = types.FirstOrDefault(type => type is not ("full_attention" or "sliding_attention"));
            if (unknown is not null)
            {
                throw root.Wrong($"layer_types names \"{unknown}\"; supported are full_attention and sliding_attention");
            }

            anyLayer = types.Contains("sliding_attention") && (!isQwen || root.Flag("use_sliding_window"));
        }

        if (!anyLayer || IsNull(document, "sliding_window"))
        {
            return null;
        }

        return root.Has("sliding_window") ? root.Integer("sliding_window") : isQwen ? 4096 : defaults.SlidingWindow;
    }

    private static int DeriveHeadDim(in ConfigValues root, int hidden, int heads)
    {
        if (hidden <= 0 || heads <= 0)
        {
            return 1; // Validate reports the size itself.
        }

        return hidden % heads == 0
            ? hidden / heads
            : throw root.Wrong($"hidden_size {hidden} is not a multiple of num_attention_heads {heads}; correct one of them or give head_dim");
    }

    private static bool IsNull(JsonElement document, string name) =>
        document.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Null;
}
