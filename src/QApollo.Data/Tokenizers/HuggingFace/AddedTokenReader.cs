using System.Text.Json;
using QApollo.Data.Tokenizers.Models;
using QApollo.Data.Tokenizers.Normalizers;

namespace QApollo.Data.Tokenizers.HuggingFace;

/// <summary>Reads the "added_tokens" of a tokenizer.json.</summary>
internal static class AddedTokenReader
{
    /// <summary>Bounds the search for tokens in hostile texts; real ones stay below 100 bytes.</summary>
    private const int MaxBytes = 256;

    public static IReadOnlyList<AddedToken> Read(JsonElement? tokens, TokenTable vocabulary) =>
        tokens is JsonElement json ? [.. json.Items("added_tokens").Select(token => ReadOne(token, vocabulary))] : [];

    /// <summary>The tokens as they are looked for and decoded: those of the normalized text in their normalized form.</summary>
    public static IReadOnlyList<AddedToken> Normalize(IReadOnlyList<AddedToken> tokens, IReadOnlyList<TextNormalizer> normalizers)
    {
        var state = new EncodeState();
        return [.. tokens.Select(token => token.Normalized ? Normalize(token) : token)];

        AddedToken Normalize(AddedToken token)
        {
            state.PatternScratch.Begin(token.Content.Length);
            return token with { Content = HuggingFaceTokenizer.Normalize(token.Content, normalizers, state).ToArray() };
        }
    }

    private static AddedToken ReadOne(JsonElement json, TokenTable vocabulary)
    {
        byte[] content = json.Utf8Field("content");
        if (content.Length > MaxBytes)
        {
            throw new UsageException($"an added token has {content.Length} bytes; at most {MaxBytes} are supported");
        }

        // A token of the vocabulary keeps the id that it has there.
        int id = json.Required("id").Number("id", TokenTable.MaxId);
        int known = vocabulary.Find(content);
        bool special = json.Flag("special");
        return new AddedToken(
            known >= 0 ? known : id,
            content,
            json.Flag("single_word"),
            json.Flag("lstrip"),
            json.Flag("rstrip"),
            json.Flag("normalized", !special),
            special);
    }
}
