using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using QApollo.Data.Tokenizers.HuggingFace;
using QApollo.Data.Tokenizers.Patterns;
using QApollo.Data.Tokenizers.Pipeline;
using QApollo.Data.Tokenizers.Text;
using QApollo.Data.Tokenizers.Tiktoken;
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

    /// <summary>A vocabulary that comes with the program, as tokenizer.json.</summary>
    /// <param name="name">One of tiktoken's: r50k_base (or gpt2), cl100k_base, o200k_base.</param>
    /// <exception cref="UsageException">No such vocabulary comes with the program.</exception>
    public static ReadOnlyMemory<byte> OfName(string name)
    {
        TiktokenEncoding encoding = TiktokenEncoding.TryFind(name)
            ?? throw new UsageException($"no vocabulary is called {name}; there are {string.Join(", ", TiktokenEncoding.Names)}");
        return TiktokenTokenizer.ToJson(encoding, TiktokenRanks.ReadPackage(encoding));
    }

    internal static ReadOnlyMemory<byte> Serialize(ByteLevelBpe model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Serialize(
            model.Tokens, model.Merges, UsualPatterns.Of(model.Pattern), [(model.EndOfDocument, ByteLevelBpe.EndOfDocumentText)], ignoreMerges: false);
    }

    /// <param name="tokens">The bytes of each id.</param>
    /// <param name="merges">Ids of neighbouring tokens, first merged first.</param>
    /// <param name="pattern">How text is cut into words.</param>
    /// <param name="special">
    /// Ids and texts of the special tokens. Where they do not follow the others without gaps, they are in the vocabulary too:
    /// Hugging Face's library numbers added tokens that are not by itself.
    /// </param>
    /// <param name="ignoreMerges">A word that is a token is that token.</param>
    internal static ReadOnlyMemory<byte> Serialize(
        IReadOnlyList<byte[]> tokens, IEnumerable<(int Left, int Right)> merges, string pattern, IReadOnlyList<(int Id, string Text)> special,
        bool ignoreMerges)
    {
        var output = new ArrayBufferWriter<byte>();

        // Without the escapes that only HTML needs, vocabularies stay readable.
        var options = new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(output, options))
        {
            json.WriteStartObject();
            json.WriteString("version", "1.0");
            json.WriteNull("truncation");
            json.WriteNull("padding");
            WriteAddedTokens(json, special);
            json.WriteNull("normalizer");
            WritePreTokenizer(json, pattern);
            json.WriteNull("post_processor");
            WriteByteLevel(json, "decoder");
            bool hasGaps = special.Select(token => token.Id).SequenceEqual(Enumerable.Range(tokens.Count, special.Count)) is false;
            WriteModel(json, tokens, hasGaps ? special : [], merges, ignoreMerges);
            json.WriteEndObject();
        }

        return output.WrittenMemory;
    }

    private static void WriteAddedTokens(Utf8JsonWriter json, IEnumerable<(int Id, string Text)> special)
    {
        json.WriteStartArray("added_tokens");
        foreach ((int id, string text) in special)
        {
            json.WriteStartObject();
            json.WriteNumber("id", id);
            json.WriteString("content", text);
            foreach (string flag in new[] { "single_word", "lstrip", "rstrip", "normalized" })
            {
                json.WriteBoolean(flag, false);
            }

            json.WriteBoolean("special", true);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WritePreTokenizer(Utf8JsonWriter json, string pattern)
    {
        json.WriteStartObject("pre_tokenizer");
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        json.WriteStartObject();
        json.WriteString("type", "Split");
        json.WriteStartObject("pattern");
        json.WriteString("Regex", pattern);
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

    private static void WriteModel(
        Utf8JsonWriter json, IReadOnlyList<byte[]> tokens, IEnumerable<(int Id, string Text)> more, IEnumerable<(int Left, int Right)> merges,
        bool ignoreMerges)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        foreach (string none in new[] { "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix" })
        {
            json.WriteNull(none);
        }

        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", ignoreMerges);
        string[] shown = [.. tokens.Select(Show)];
        json.WriteStartObject("vocab");
        for (int id = 0; id < shown.Length; id++)
        {
            json.WriteNumber(shown[id], id);
        }

        foreach ((int id, string text) in more)
        {
            json.WriteNumber(text, id);
        }

        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach ((int left, int right) in merges)
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
