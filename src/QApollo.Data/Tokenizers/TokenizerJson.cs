using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using QApollo.Data.Tokenizers.HuggingFace;
using QApollo.Data.Tokenizers.Patterns;
using QApollo.Data.Tokenizers.Pipeline;
using QApollo.Data.Tokenizers.Text;
using QApollo.Data.Tokenizers.Training;
using QApollo.Files;

namespace QApollo.Data.Tokenizers;

/// <summary>Trained vocabularies as Hugging Face's tokenizer.json.</summary>
public static class TokenizerJson
{
    /// <summary>The tokenizer that reading the written file would give.</summary>
    public static ITokenizer Create(ByteLevelBpe model) => TokenizerJsonReader.Read(Serialize(model), folder: null);

    /// <summary>Writes a tokenizer.json. It appears whole or not at all: written beside, flushed, renamed.</summary>
    /// <exception cref="RunFailedException">The file cannot be written.</exception>
    public static void Write(string path, ByteLevelBpe model) => PendingFile.WriteAll(path, Serialize(model).Span);

    internal static ReadOnlyMemory<byte> Serialize(ByteLevelBpe model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var output = new ArrayBufferWriter<byte>();

        // Without the escapes that only HTML needs, vocabularies stay readable.
        var options = new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(output, options))
        {
            json.WriteStartObject();
            json.WriteString("version", "1.0");
            json.WriteNull("truncation");
            json.WriteNull("padding");
            WriteAddedTokens(json, model);
            json.WriteNull("normalizer");
            WritePreTokenizer(json, model.Pattern);
            json.WriteNull("post_processor");
            WriteByteLevel(json, "decoder");
            WriteModel(json, model);
            json.WriteEndObject();
        }

        return output.WrittenMemory;
    }

    private static void WriteAddedTokens(Utf8JsonWriter json, ByteLevelBpe model)
    {
        json.WriteStartArray("added_tokens");
        json.WriteStartObject();
        json.WriteNumber("id", model.EndOfDocument);
        json.WriteString("content", ByteLevelBpe.EndOfDocumentText);
        foreach (string flag in new[] { "single_word", "lstrip", "rstrip", "normalized" })
        {
            json.WriteBoolean(flag, false);
        }

        json.WriteBoolean("special", true);
        json.WriteEndObject();
        json.WriteEndArray();
    }

    private static void WritePreTokenizer(Utf8JsonWriter json, WordPattern pattern)
    {
        json.WriteStartObject("pre_tokenizer");
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        json.WriteStartObject();
        json.WriteString("type", "Split");
        json.WriteStartObject("pattern");
        json.WriteString("Regex", UsualPatterns.Of(pattern));
        json.WriteEndObject();
        json.WriteString("behavior", "Isolated");
        json.WriteBoolean("invert", false);
        json.WriteEndObject();
        WriteByteLevel(json, null);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter json, string? name)
    {
        if (name is null)
        {
            json.WriteStartObject();
        }
        else
        {
            json.WriteStartObject(name);
        }

        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", false);
        json.WriteEndObject();
    }

    private static void WriteModel(Utf8JsonWriter json, ByteLevelBpe model)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        foreach (string none in new[] { "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix" })
        {
            json.WriteNull(none);
        }

        foreach (string flag in new[] { "fuse_unk", "byte_fallback", "ignore_merges" })
        {
            json.WriteBoolean(flag, false);
        }

        string[] shown = [.. model.Tokens.Select(Show)];
        json.WriteStartObject("vocab");
        for (int id = 0; id < shown.Length; id++)
        {
            json.WriteNumber(shown[id], id);
        }

        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach ((int left, int right) in model.Merges)
        {
            json.WriteStartArray();
            json.WriteStringValue(shown[left]);
            json.WriteStringValue(shown[right]);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static string Show(byte[] token)
    {
        var text = new ByteBuffer();
        ByteLevelAlphabet.Map(token, text);
        return Encoding.UTF8.GetString(text.Written);
    }
}
