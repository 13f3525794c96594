using System.Globalization;
using System.Text.Json;
using QApollo.Files;

namespace QApollo.Models;

/// <summary>
/// <see cref="LlamaConfig"/> as Hugging Face <c>config.json</c>. Keys that change nothing here (<c>torch_dtype</c>,
/// <c>use_cache</c>, ...) are ignored; keys that would make a different model are refused.
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
        catch (InvalidFileException exception)
        {
            throw new UsageException(exception.Message, exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"{path}: cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>Reads and validates. Values that are left out take the defaults of Hugging Face's class of the model.</summary>
    /// <param name="utf8">The JSON text.</param>
    /// <param name="source">The file's name, for messages.</param>
    /// <exception cref="UsageException">No JSON object, a value missing or of the wrong kind, sizes that do not fit, or a model that is not supported.</exception>
    public static LlamaConfig Parse(ReadOnlyMemory<byte> utf8, string source)
    {
        if (utf8.Span.StartsWith("\uFEFF"u8))
        {
            utf8 = utf8[3..];
        }

        try
        {
            using var document = JsonDocument.Parse(utf8);
            return LlamaConfigReader.Read(document.RootElement, source);
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

    /// <summary>
    /// The UTF-8 text that <see cref="Parse"/> and Hugging Face read back to the same configuration: base and scaling of the rotary
    /// embedding, and the dtype, under the keys of transformers 4 and of 5, because one alone is overlooked by the other's readers.
    /// </summary>
    /// <param name="torchDType">Hugging Face's name for the dtype that the weights are stored in: float32, float16 or bfloat16.</param>
    public static byte[] ToUtf8(LlamaConfig config, string torchDType = "bfloat16")
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            (string modelType, string className) = LlamaConfigReader.Names(config.Architecture);
            json.WriteStartArray("architectures");
            json.WriteStringValue(className);
            json.WriteEndArray();
            json.WriteString("model_type", modelType);
            json.WriteNumber("vocab_size", config.VocabSize);
            json.WriteNumber("hidden_size", config.HiddenSize);
            json.WriteNumber("intermediate_size", config.IntermediateSize);
            json.WriteNumber("num_hidden_layers", config.NumHiddenLayers);
            json.WriteNumber("num_attention_heads", config.NumAttentionHeads);
            json.WriteNumber("num_key_value_heads", config.NumKeyValueHeads);
            json.WriteNumber("head_dim", config.HeadDim);
            json.WriteString("hidden_act", "silu");
            json.WriteNumber("max_position_embeddings", config.MaxPositionEmbeddings);
            WriteReal(json, "initializer_range", config.InitializerRange);
            WriteReal(json, "rms_norm_eps", config.RmsNormEps);
            WriteRotary(json, config);
            WriteBiases(json, config);
            WriteWindow(json, config);
            WriteToken(json, "bos_token_id", config.BosTokenId);
            WriteEndTokens(json, config);
            json.WriteBoolean("tie_word_embeddings", config.TieWordEmbeddings);
            json.WriteString("torch_dtype", torchDType);
            json.WriteString("dtype", torchDType);
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    private static void WriteRotary(Utf8JsonWriter json, LlamaConfig config)
    {
        WriteReal(json, "rope_theta", config.RopeTheta);
        if (config.RopeScaling is { } scaling)
        {
            json.WriteStartObject("rope_scaling");
            WriteScaling(json, scaling);
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("rope_scaling");
        }

        json.WriteStartObject("rope_parameters");
        WriteReal(json, "rope_theta", config.RopeTheta);
        if (config.RopeScaling is { } again)
        {
            WriteScaling(json, again);
        }
        else
        {
            json.WriteString("rope_type", "default");
        }

        json.WriteEndObject();
    }

    private static void WriteScaling(Utf8JsonWriter json, RotaryScaling scaling)
    {
        json.WriteString("rope_type", scaling.Kind switch
        {
            RotaryScalingKind.Linear => "linear",
            RotaryScalingKind.Llama3 => "llama3",
            _ => "yarn",
        });
        WriteReal(json, "factor", scaling.Factor);
        if (scaling.Kind != RotaryScalingKind.Linear)
        {
            json.WriteNumber("original_max_position_embeddings", scaling.OriginalMaxPositionEmbeddings);
        }

        if (scaling.Kind == RotaryScalingKind.Llama3)
        {
            WriteReal(json, "low_freq_factor", scaling.LowFreqFactor);
            WriteReal(json, "high_freq_factor", scaling.HighFreqFactor);
        }

        if (scaling.Kind == RotaryScalingKind.Yarn)
        {
            WriteReal(json, "beta_fast", scaling.BetaFast);
            WriteReal(json, "beta_slow", scaling.BetaSlow);
            WriteReal(json, "attention_factor", scaling.AttentionFactor);
            json.WriteBoolean("truncate", scaling.Truncate);
        }
    }

    /// <summary>Only where the class has the key.</summary>
    private static void WriteBiases(Utf8JsonWriter json, LlamaConfig config)
    {
        if (config.Architecture is ModelArchitecture.Llama or ModelArchitecture.Qwen3)
        {
            json.WriteBoolean("attention_bias", config.QueryKeyValueBias);
        }

        if (config.Architecture == ModelArchitecture.Llama)
        {
            json.WriteBoolean("mlp_bias", config.MlpBias);
        }
    }

    private static void WriteWindow(Utf8JsonWriter json, LlamaConfig config)
    {
        if (config.Architecture is ModelArchitecture.Qwen2 or ModelArchitecture.Qwen3)
        {
            json.WriteBoolean("use_sliding_window", config.SlidingWindow is not null);
            if (config.SlidingWindow is not null)
            {
                json.WriteNumber("max_window_layers", 0);
            }
        }

        // Mistral's class would take 4096 for a missing key.
        if (config.SlidingWindow is int window)
        {
            json.WriteNumber("sliding_window", window);
        }
        else if (config.Architecture != ModelArchitecture.Llama)
        {
            json.WriteNull("sliding_window");
        }
    }

    /// <summary>With a decimal point or exponent, since transformers 5 tells 8 and 8.0 apart.</summary>
    private static void WriteReal(Utf8JsonWriter json, string name, double value)
    {
        string text = value.ToString("R", CultureInfo.InvariantCulture);
        json.WritePropertyName(name);
        json.WriteRawValue(text.AsSpan().IndexOfAny('.', 'E') < 0 ? text + ".0" : text);
    }

    private static void WriteEndTokens(Utf8JsonWriter json, LlamaConfig config)
    {
        if (config.OtherEosTokenIds.Count == 0)
        {
            WriteToken(json, "eos_token_id", config.EosTokenId);
            return;
        }

        json.WriteStartArray("eos_token_id");
        foreach (int id in config.EosTokenIds)
        {
            json.WriteNumberValue(id);
        }

        json.WriteEndArray();
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
}
