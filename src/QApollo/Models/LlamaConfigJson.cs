using System.Text.Json;
using QApollo.Files;

namespace QApollo.Models;

/// <summary>
/// <see cref="LlamaConfig"/> as Hugging Face <c>config.json</c>. Keys that change nothing here (dropout 0,
/// <c>torch_dtype</c>, <c>use_cache</c>, ...) are ignored; keys that would make a different model are refused.
/// </summary>
public static class LlamaConfigJson
{
    /// <summary>More than any configuration has.</summary>
    private const long MaxBytes = 16L << 20;

    /// <summary>As <see cref="Parse"/>, from a file.</summary>
    /// <exception cref="UsageException">The file cannot be read, or is no configuration that this program can train.</exception>
    public static LlamaConfig Read(string path)
    {
        try
        {
            return Parse(RegularFile.ReadAllBytes(path, MaxBytes), path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"{path}: cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>Reads and validates. Values that are left out take the defaults of Hugging Face's LlamaConfig.</summary>
    /// <param name="utf8">The JSON text.</param>
    /// <param name="source">The file's name, for messages.</param>
    /// <exception cref="UsageException">No JSON object, a value missing or of the wrong kind, sizes that do not fit, or a model that is no plain LLaMA.</exception>
    public static LlamaConfig Parse(ReadOnlyMemory<byte> utf8, string source)
    {
        if (utf8.Span.StartsWith("\uFEFF"u8))
        {
            utf8 = utf8[3..];
        }

        try
        {
            using var document = JsonDocument.Parse(utf8);
            return new Reader(document.RootElement, source).Read();
        }
        catch (JsonException e)
        {
            throw new UsageException($"{source}: not valid JSON (line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}); expected a Hugging Face config.json", e);
        }
        catch (InvalidOperationException e)
        {
            // What JsonElement throws when a string is not valid UTF-8 or UTF-16.
            throw new UsageException($"{source}: contains text that is not valid Unicode; expected a Hugging Face config.json", e);
        }
    }

    /// <summary>The UTF-8 text that <see cref="Parse"/> and Hugging Face read back to the same configuration.</summary>
    /// <param name="torchDType">Hugging Face's name for the dtype that the weights are stored in: float32 or bfloat16.</param>
    public static byte[] ToUtf8(LlamaConfig config, string torchDType = "bfloat16")
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteStartArray("architectures");
            json.WriteStringValue("LlamaForCausalLM");
            json.WriteEndArray();
            json.WriteString("model_type", "llama");
            json.WriteNumber("vocab_size", config.VocabSize);
            json.WriteNumber("hidden_size", config.HiddenSize);
            json.WriteNumber("intermediate_size", config.IntermediateSize);
            json.WriteNumber("num_hidden_layers", config.NumHiddenLayers);
            json.WriteNumber("num_attention_heads", config.NumAttentionHeads);
            json.WriteNumber("num_key_value_heads", config.NumKeyValueHeads);
            json.WriteNumber("head_dim", config.HeadDim);
            json.WriteString("hidden_act", "silu");
            json.WriteNumber("max_position_embeddings", config.MaxPositionEmbeddings);
            json.WriteNumber("initializer_range", config.InitializerRange);
            json.WriteNumber("rms_norm_eps", config.RmsNormEps);
            json.WriteNumber("rope_theta", config.RopeTheta);
            json.WriteNull("rope_scaling");
            json.WriteBoolean("attention_bias", false);
            json.WriteBoolean("mlp_bias", false);
            WriteToken(json, "bos_token_id", config.BosTokenId);
            WriteToken(json, "eos_token_id", config.EosTokenId);
            json.WriteBoolean("tie_word_embeddings", config.TieWordEmbeddings);
            json.WriteString("torch_dtype", torchDType);
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    // Written even when absent: a missing key would mean Hugging Face's defaults 1 and 2.
    private static void WriteToken(Utf8JsonWriter json, string name, int? id)
    {
        if (id is int value)
        {
            json.WriteNumber(name, value);
        }
        else
        {
            json.WriteNull(name);
        }
    }

    private sealed class Reader(JsonElement root, string source)
    {
        public LlamaConfig Read()
        {
            if (root.ValueKind != JsonValueKind.Object)
            {
                throw Wrong("not a JSON object; expected a Hugging Face config.json");
            }

            RefuseOtherModels();
            int hidden = Integer("hidden_size");
            int heads = Integer("num_attention_heads");
            var config = new LlamaConfig
            {
                HiddenSize = hidden,
                IntermediateSize = Integer("intermediate_size"),
                NumHiddenLayers = Integer("num_hidden_layers"),
                NumAttentionHeads = heads,
                NumKeyValueHeads = Integer("num_key_value_heads", heads),
                HeadDim = Find("head_dim") is null ? DeriveHeadDim(hidden, heads) : Integer("head_dim"),
                VocabSize = Integer("vocab_size"),

                // max_sequence_length: the name in the configurations of GaLore and APOLLO.
                MaxPositionEmbeddings = Integer("max_position_embeddings", Integer("max_sequence_length", 2048)),
                RmsNormEps = Number(root, "rms_norm_eps", 1e-6),
                RopeTheta = RopeTheta(),
                TieWordEmbeddings = Flag("tie_word_embeddings"),
                InitializerRange = Number(root, "initializer_range", 0.02),
                BosTokenId = Token("bos_token_id"),
                EosTokenId = Token("eos_token_id"),
            };
            return config.Validate(source);
        }

        private void RefuseOtherModels()
        {
            if (Find("model_type") is JsonElement type && !IsString(type, "llama"))
            {
                throw Wrong($"model_type is {Shown(type)}; only \"llama\" is supported");
            }

            if (Find("hidden_act") is JsonElement activation && !IsString(activation, "silu"))
            {
                throw Wrong($"hidden_act is {Shown(activation)}; only \"silu\" is supported");
            }

            foreach (string bias in (ReadOnlySpan<string>)["attention_bias", "mlp_bias"])
            {
                if (Flag(bias))
                {
                    throw Wrong($"{bias} is true; only models without biases are supported");
                }
            }

            if (Find("rope_scaling") is JsonElement scaling)
            {
                throw Wrong($"rope_scaling is {Shown(scaling)}; only unscaled rotary embeddings (null) are supported");
            }

            if (Number(root, "attention_dropout", 0) != 0)
            {
                throw Wrong($"attention_dropout is {Shown(root.GetProperty("attention_dropout"))}; only 0 is supported");
            }
        }

        private int DeriveHeadDim(int hidden, int heads)
        {
            if (hidden <= 0 || heads <= 0)
            {
                return 1; // Validate reports the size itself.
            }

            return hidden % heads == 0
                ? hidden / heads
                : throw Wrong($"hidden_size {hidden} is not a multiple of num_attention_heads {heads}; correct one of them or give head_dim");
        }

        /// <summary>A key of its own, or since version 5 of transformers a part of <c>rope_parameters</c>.</summary>
        private double RopeTheta()
        {
            const double Default = 10_000;
            if (Find("rope_parameters") is not JsonElement rope)
            {
                return Number(root, "rope_theta", Default);
            }

            if (rope.ValueKind != JsonValueKind.Object
                || (rope.TryGetProperty("rope_type", out JsonElement type) && !IsString(type, "default")))
            {
                throw Wrong($"rope_parameters is {Shown(rope)}; only rope_type \"default\" is supported");
            }

            return Number(rope, "rope_theta", Number(root, "rope_theta", Default));
        }

        private int Integer(string name, int? whenAbsent = null)
        {
            if (Find(name) is not JsonElement value)
            {
                return whenAbsent ?? throw Wrong($"{name} is missing");
            }

            return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number)
                ? number
                : throw Wrong($"{name} is {Shown(value)}; expected an integer of at most {int.MaxValue}");
        }

        private double Number(JsonElement parent, string name, double whenAbsent)
        {
            if (!parent.TryGetProperty(name, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
            {
                return whenAbsent;
            }

            return value.ValueKind == JsonValueKind.Number
                ? value.GetDouble()
                : throw Wrong($"{name} is {Shown(value)}; expected a number");
        }

        private bool Flag(string name) => Find(name) is JsonElement value && value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Wrong($"{name} is {Shown(value)}; expected true or false"),
        };

        /// <summary>A model may have several end tokens; the first is the one that ends a document.</summary>
        private int? Token(string name)
        {
            if (Find(name) is not JsonElement value)
            {
                return null;
            }

            if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0)
            {
                value = value[0];
            }

            return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int id)
                ? id
                : throw Wrong($"{name} is {Shown(value)}; expected a token id");
        }

        private JsonElement? Find(string name) =>
            root.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

        private static bool IsString(JsonElement value, string text) =>
            value.ValueKind == JsonValueKind.String && value.ValueEquals(text);

        /// <summary>The value as written, on one line and not longer than a message can bear.</summary>
        private static string Shown(JsonElement value)
        {
            string text = string.Join(' ', value.GetRawText().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
            return text.Length <= 80 ? text : string.Concat(text.AsSpan(0, 77), "...");
        }

        private UsageException Wrong(string what) => new($"{source}: {what}");
    }
}
