using System.Globalization;
using System.Text;
using System.Text.Json;
using QApollo.Checkpoints.Interchange.Gguf;
using QApollo.Data.Tokenizers.HuggingFace;
using QApollo.Data.Tokenizers.Patterns;

namespace QApollo.Data.Tokenizers.Interchange;

/// <summary>Byte-level BPE as llama.cpp's tokenizer "gpt2".</summary>
internal static class GgufByteLevel
{
    public static GgufVocabulary Create(JsonElement root, DocumentTokens tokens)
    {
        JsonElement model = root.Required("model");
        if (model.TextField("type", "BPE") != "BPE")
        {
            throw new UsageException("llama.cpp has byte-level tokenizers for BPE only; use --format hf");
        }

        IReadOnlyList<TokenText?> texts = TokenTexts.Read(root).Tokens;
        string preTokenizer = PreTokenizer(root.Field("pre_tokenizer")!.Value, model.Flag("ignore_merges"));
        return new GgufVocabulary
        {
            Model = "gpt2",
            PreTokenizer = preTokenizer,
            Tokens = [.. texts.Select((token, id) => Encoding.UTF8.GetBytes(token?.Text ?? Padding(id)))],
            Types = [.. texts.Select(TypeOf)],
            Merges = [.. model.Required("merges").EnumerateArray().Select(Merge).Where(merge => merge is not null).Select(merge => Encoding.UTF8.GetBytes(merge!))],
            BeginToken = tokens.Begin,
            EndToken = tokens.End,
            AddsBeginToken = tokens.Begin is not null,
            Notes = [.. Notes(root.Field("normalizer")), .. WordNotes(preTokenizer, model.Flag("ignore_merges"))],
        };
    }

    public static GgufTokenType TypeOf(TokenText? token) => token switch
    {
        null => GgufTokenType.Unused,
        { IsSpecial: true } => GgufTokenType.Control,
        { IsAdded: true } => GgufTokenType.UserDefined,
        _ => GgufTokenType.Normal,
    };

    public static string Padding(int id) => string.Create(CultureInfo.InvariantCulture, $"[PAD{id}]");

    /// <summary>llama.cpp knows patterns by names only.</summary>
    private static string PreTokenizer(JsonElement json, bool ignoresMerges)
    {
        JsonElement[] parts = [.. JsonFields.Flatten(json, "pretokenizers")];
        JsonElement last = parts[^1];
        bool isPlain = last.TypeName() == "ByteLevel" && !last.Flag("add_prefix_space", true);
        bool cutsAsGpt2 = last.Flag("use_regex", true);
        string? name = (parts.Length, isPlain, cutsAsGpt2) switch
        {
            (1, true, true) => "gpt-2",
            (2, true, true) when parts[0].TypeName() == "Digits" && parts[0].Flag("individual_digits") => "smollm",
            (2, true, false) when IsSplit(parts[0]) => OfPattern(parts[0].Required("pattern").TextField("Regex", string.Empty), ignoresMerges),
            _ => null,
        };
        return name ?? throw new UsageException("llama.cpp has no name for this tokenizer's pre_tokenizer (it knows those of GPT-2, Llama 3, Qwen 2, SmolLM and GPT-4o among others); use --format hf");
    }

    private static bool IsSplit(JsonElement json) =>
        json.TypeName() == "Split" && json.TextField("behavior", "Isolated") == "Isolated" && !json.Flag("invert");

    /// <summary>The two names of Llama 3's pattern differ in whether a whole word that is a token is taken before any merge.</summary>
    private static string? OfPattern(string pattern, bool ignoresMerges) => pattern switch
    {
        UsualPatterns.Gpt2 => "gpt-2",
        UsualPatterns.Llama3 => ignoresMerges ? "llama-bpe" : "dbrx",
        UsualPatterns.Qwen2 => "qwen2",
        UsualPatterns.O200k => "gpt-4o",
        _ => null,
    };

    /// <summary>"left right"; files of early versions begin with a line that is no merge.</summary>
    private static string? Merge(JsonElement merge)
    {
        if (merge.ValueKind == JsonValueKind.Array)
        {
            return $"{merge[0].GetString()} {merge[1].GetString()}";
        }

        string text = merge.GetString()!;
        return text.StartsWith("#version", StringComparison.Ordinal) ? null : text;
    }

    private static IEnumerable<string> WordNotes(string preTokenizer, bool ignoresMerges)
    {
        if (preTokenizer == "gpt-4o")
        {
            yield return "llama.cpp cuts words with combining marks (Devanagari, Thai and others) otherwise than this tokenizer: they become other tokens there";
        }

        if (ignoresMerges && preTokenizer != "llama-bpe")
        {
            yield return "llama.cpp merges words that are tokens themselves with this pre-tokenizer: a token that no merges lead to is never used there";
        }
    }

    private static string[] Notes(JsonElement? normalizer) => normalizer is JsonElement json
        ? [$"llama.cpp does not apply this tokenizer's normalizer ({string.Join(", ", JsonFields.Flatten(json, "normalizers").Select(part => part.TypeName()))}): text that it changes becomes other tokens there"]
        : [];
}
