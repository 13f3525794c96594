using System.Text;
using System.Text.Json;
using QApollo.Checkpoints.Interchange.Gguf;
using QApollo.Data.Tokenizers.HuggingFace;
using QApollo.Data.Tokenizers.Models;

namespace QApollo.Data.Tokenizers.Interchange;

/// <summary>
/// A BPE that shows spaces as U+2581 and falls back to bytes, such as Llama 2's tokenizer.json, as llama.cpp's tokenizer "llama".
/// llama.cpp merges by the score of what a merge makes; here that is its place in the list of merges.
/// </summary>
internal static class GgufWordMarks
{
    private const string Mark = "\u2581";

    public static GgufVocabulary Create(JsonElement root, DocumentTokens tokens)
    {
        JsonElement model = root.Required("model");
        if (model.TextField("type", "BPE") != "BPE" || !model.Flag("byte_fallback"))
        {
            throw new UsageException("llama.cpp can only take this kind of tokenizer.json when it is BPE with byte_fallback; give the SentencePiece .model, or use --format hf");
        }

        bool addsPrefix = AddsPrefix(root);
        IReadOnlyList<TokenText?> texts = TokenTexts.Read(root).Tokens;
        var ids = new Dictionary<string, int>();
        for (int id = 0; id < texts.Count; id++)
        {
            ids[texts[id]?.Text ?? GgufByteLevel.Padding(id)] = id;
        }

        int? unknown = model.Field("unk_token") is JsonElement name && ids.TryGetValue(name.GetString()!, out int found) ? found : null;
        return new GgufVocabulary
        {
            Model = "llama",
            PreTokenizer = "default",
            Tokens = [.. texts.Select((token, id) => Encoding.UTF8.GetBytes(token?.Text ?? GgufByteLevel.Padding(id)))],
            Types = [.. texts.Select((token, id) => TypeOf(token, id == unknown))],
            Scores = Scores(model, ids, texts.Count),
            BeginToken = tokens.Begin,
            EndToken = tokens.End,
            UnknownToken = unknown,
            AddsBeginToken = tokens.Begin is not null,
            AddsSpacePrefix = addsPrefix,
        };
    }

    private static GgufTokenType TypeOf(TokenText? token, bool isUnknown) =>
        isUnknown ? GgufTokenType.Unknown
        : token is { IsAdded: false } && BpeModel.ByteOf(Encoding.UTF8.GetBytes(token.Text)) >= 0 ? GgufTokenType.Byte
        : GgufByteLevel.TypeOf(token);

    private static float[] Scores(JsonElement model, Dictionary<string, int> ids, int count)
    {
        var scores = new float[count];
        var isMade = new bool[count];
        int rank = 0;
        foreach (JsonElement merge in model.Required("merges").EnumerateArray())
        {
            string made = merge.ValueKind == JsonValueKind.Array
                ? merge[0].GetString() + merge[1].GetString()
                : merge.GetString()!.Replace(" ", string.Empty, StringComparison.Ordinal);
            int id = ids[made];
            if (!isMade[id])
            {
                isMade[id] = true;
                scores[id] = -rank;
            }

            rank++;
        }

        return scores;
    }

    /// <summary>Spaces become marks, in the normalizer or in Metaspace; whether one goes before the text.</summary>
    private static bool AddsPrefix(JsonElement root)
    {
        JsonElement[] normalizers = root.Field("normalizer") is JsonElement normalizer ? [.. JsonFields.Flatten(normalizer, "normalizers")] : [];
        JsonElement[] preTokenizers = root.Field("pre_tokenizer") is JsonElement pre ? [.. JsonFields.Flatten(pre, "pretokenizers")] : [];
        string shape = string.Join(' ', normalizers.Concat(preTokenizers).Select(part => part.TypeName()));
        bool replaces = normalizers.Any(part => part.TypeName() == "Replace" && part.TextField("content", string.Empty) == Mark);
        return shape switch
        {
            "Prepend Replace" when replaces => true,
            "Replace" when replaces => false,
            "Metaspace" when preTokenizers is [JsonElement metaspace] => PreTokenizerReader.Scheme(metaspace) != Pipeline.PrependScheme.Never,
            _ => throw new UsageException($"llama.cpp has no tokenizer that prepares text as this one ({(shape.Length > 0 ? shape : "nothing")}); use --format hf"),
        };
    }
}
