using System.Collections.Frozen;
using System.Text;
using System.Text.Json;
using QApollo.Data.Tokenizers.Models;
using QApollo.Data.Tokenizers.Normalizers;
using QApollo.Data.Tokenizers.Pipeline;

namespace QApollo.Data.Tokenizers.HuggingFace;

/// <summary>Reads a tokenizer.json.</summary>
internal static class TokenizerJsonReader
{
    // Fields that decide ids; padding, truncation, the post-processor and the decoder do not.
    private static readonly string[] Decisive = ["added_tokens", "normalizer", "pre_tokenizer", "model"];

    /// <param name="folder">Where the files that come with it lie; null without one.</param>
    /// <param name="specialTokens">What becomes of special tokens that are written out in a text.</param>
    /// <exception cref="UsageException">It is not a tokenizer.json, is damaged, or needs what is not supported.</exception>
    public static HuggingFaceTokenizer Read(
        ReadOnlyMemory<byte> utf8, string? folder, SpecialTokenMode specialTokens = SpecialTokenMode.Text)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(WithoutMark(utf8));
            return Read(document.RootElement, folder, specialTokens);
        }
        catch (JsonException error)
        {
            throw new UsageException($"it is not valid JSON: {JsonFields.Show(error.Message.Replace(". LineNumber", ": LineNumber", StringComparison.Ordinal))}", error);
        }
        catch (InvalidOperationException error)
        {
            // The one way left for a checked value to fail: a name or text with half of a surrogate pair.
            throw new UsageException("a text holds half of a surrogate pair", error);
        }
    }

    private static HuggingFaceTokenizer Read(JsonElement root, string? folder, SpecialTokenMode specialTokens)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new UsageException($"it must be a JSON object, not {JsonFields.Show(root)}");
        }

        IReadOnlyList<TextNormalizer> normalizers = NormalizerReader.Read(root.Field("normalizer"));
        var preTokenizer = new PreTokenizerReader(root.Field("pre_tokenizer"));
        ModelReader model = ModelReader.Read(root.Required("model"), preTokenizer.IsByteLevel);
        IReadOnlyList<AddedToken> added = AddedTokenReader.Read(root.Field("added_tokens"), model.Vocabulary);
        int end = EndOfDocumentToken.Find(added, model.Vocabulary, folder);
        int size = Math.Max(model.Vocabulary.IdsEnd, added.Count == 0 ? 0 : added.Max(token => token.Id) + 1);
        int? start = BeginOfDocumentToken.Find(root.Field("post_processor"), folder, name => Find(added, model.Vocabulary, name));
        if (start >= size)
        {
            throw new UsageException($"the post-processor's start token has id {start}, but there are {size} ids");
        }

        // What ends a document is special, whether or not the file says so.
        IReadOnlyList<AddedToken> searched = AddedTokenReader.Normalize(
            [.. added.Select(token => token with { Special = token.Special || token.Id == end })], normalizers);
        IEnumerable<int> special = searched.Where(token => token.Special).Select(token => token.Id).Append(end);
        PieceStage stage = model.Build(specialTokens == SpecialTokenMode.Text ? special.ToFrozenSet() : FrozenSet<int>.Empty);
        return new HuggingFaceTokenizer
        {
            Description = $"{(preTokenizer.IsByteLevel ? "byte-level " : string.Empty)}{model.Name} (tokenizer.json)",
            VocabularySize = size,
            EndOfDocument = end,

            // One token that does both stands between documents once: the end of one is the beginning of the next.
            BeginOfDocument = start == end ? null : start,
            Fingerprint = Hash(root, end),
            ParsesSpecialTokens = specialTokens == SpecialTokenMode.Parse,
            RawTokens = new AddedTokenMatcher(searched.Where(token => !token.Normalized), specialTokens),
            NormalizedTokens = new AddedTokenMatcher(searched.Where(token => token.Normalized), specialTokens),
            Normalizers = normalizers,
            Stages = preTokenizer.Build(stage),
            Decoder = DecoderReader.Read(root.Field("decoder"), preTokenizer, model.Vocabulary, searched),
        };
    }

    private static int Find(IReadOnlyList<AddedToken> added, TokenTable vocabulary, string name)
    {
        byte[] content = Encoding.UTF8.GetBytes(name);
        return added.FirstOrDefault(token => token.Content.AsSpan().SequenceEqual(content))?.Id ?? vocabulary.Find(content);
    }

    private static string Hash(JsonElement root, int end)
    {
        using var hash = new CanonicalJsonHash();
        foreach (string field in Decisive)
        {
            hash.Add(root.Field(field));
        }

        hash.Add(end);
        return hash.Finish();
    }

    private static ReadOnlyMemory<byte> WithoutMark(ReadOnlyMemory<byte> utf8) =>
        utf8.Span.StartsWith("\uFEFF"u8) ? utf8[3..] : utf8;
}
