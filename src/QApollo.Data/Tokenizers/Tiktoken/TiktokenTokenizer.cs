using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using QApollo.Data.Tokenizers.HuggingFace;
using QApollo.Data.Tokenizers.Models;
using QApollo.Data.Tokenizers.Patterns;
using QApollo.Data.Tokenizers.Pipeline;

namespace QApollo.Data.Tokenizers.Tiktoken;

/// <summary>
/// Makes tokenizers of tiktoken's vocabularies. Its rule is byte-level BPE in which two neighbours merge when together
/// they are a token, lowest rank first; a word that is a token is that token.
/// </summary>
internal static class TiktokenTokenizer
{
    /// <summary>One that comes with the program.</summary>
    public static HuggingFaceTokenizer OfName(TiktokenEncoding encoding, SpecialTokenMode specialTokens) =>
        Create(encoding, TiktokenRanks.ReadPackage(encoding), specialTokens);

    /// <summary>One in a file, known by the number of its tokens.</summary>
    /// <exception cref="UsageException">The file is damaged, or no encoding known here has that many tokens.</exception>
    public static HuggingFaceTokenizer OfFile(ReadOnlySpan<byte> content, SpecialTokenMode specialTokens)
    {
        (TiktokenEncoding encoding, TokenTable tokens) = Recognize(content);
        return Create(encoding, tokens, specialTokens);
    }

    /// <summary>One in a file, as a tokenizer.json.</summary>
    /// <inheritdoc cref="OfFile" path="/exception"/>
    public static ReadOnlyMemory<byte> FileToJson(ReadOnlySpan<byte> content)
    {
        (TiktokenEncoding encoding, TokenTable tokens) = Recognize(content);
        return ToJson(encoding, tokens);
    }

    private static (TiktokenEncoding Encoding, TokenTable Tokens) Recognize(ReadOnlySpan<byte> content)
    {
        TokenTable tokens = TiktokenRanks.ReadFile(content);
        TiktokenEncoding encoding = TiktokenEncoding.All.FirstOrDefault(known => known.Ranks == tokens.IdsEnd)
            ?? throw new UsageException(string.Create(
                CultureInfo.InvariantCulture,
                $"a tiktoken file of {tokens.IdsEnd} tokens does not say how to cut text; known are {string.Join(", ", TiktokenEncoding.All.Select(known => $"{known.Name} ({known.Ranks})"))}: give the tokenizer.json of the same model"));
        return (encoding, tokens);
    }

    /// <summary>
    /// The same as a tokenizer.json. There each pair of tokens has a rank of its own: pairs that make the same token
    /// follow each other in the order of their left part.
    /// </summary>
    public static ReadOnlyMemory<byte> ToJson(TiktokenEncoding encoding, TokenTable tokens) => TokenizerJson.Serialize(
        [.. Enumerable.Range(0, tokens.IdsEnd).Select(id => tokens.TryText(id, out ReadOnlySpan<byte> text) ? text.ToArray() : [])],
        Merges(tokens).Select(merge => (merge.Left, merge.Right)), encoding.Pattern, encoding.Special, ignoreMerges: true);

    private static HuggingFaceTokenizer Create(TiktokenEncoding encoding, TokenTable tokens, SpecialTokenMode specialTokens)
    {
        for (int value = 0; value < 256; value++)
        {
            if (tokens.Find([(byte)value]) < 0)
            {
                throw new UsageException($"no token is the byte 0x{value:X2}");
            }
        }

        Dictionary<int, byte[]> special = encoding.Special.ToDictionary(token => token.Id, token => Encoding.UTF8.GetBytes(token.Text));
        int size = special.Keys.Max() + 1;
        var rules = new BpeRules { ByteLevel = true, IgnoreMerges = true };
        var model = new BpeModel(rules, Pairs(tokens), tokens, tokens, [], tokens.IdsEnd, []);
        return new HuggingFaceTokenizer
        {
            Description = $"byte-level BPE ({encoding.Name})",
            VocabularySize = size,
            EndOfDocument = encoding.EndOfDocument,
            BeginOfDocument = encoding.BeginOfDocument,
            Fingerprint = Hash(encoding, tokens),
            ParsesSpecialTokens = specialTokens == SpecialTokenMode.Parse,
            RawTokens = new AddedTokenMatcher(
                special.Select(token => new AddedToken(token.Key, token.Value, false, false, false, Normalized: false, Special: true)), specialTokens),
            NormalizedTokens = new AddedTokenMatcher([], specialTokens),
            Normalizers = [],
            Stages = new SplitStage(UsualPatterns.Matcher(encoding.Pattern), SplitBehavior.Isolated, invert: false, model),
            Decoder = new TokenDecoder(
                size, id => tokens.TryText(id, out ReadOnlySpan<byte> text) ? text.ToArray() : special.GetValueOrDefault(id, []), _ => null),
        };
    }

    /// <summary>Every two tokens that make a third, ranked by that one; the leftmost goes first among equals.</summary>
    private static PairTable Pairs(TokenTable tokens)
    {
        List<(int Left, int Right, int Merged)> merges = Merges(tokens);
        var pairs = new PairTable(merges.Count);
        foreach ((int left, int right, int merged) in merges)
        {
            pairs.Add(left, right, rank: merged, merged);
        }

        return pairs;
    }

    private static List<(int Left, int Right, int Merged)> Merges(TokenTable tokens)
    {
        var merges = new List<(int Left, int Right, int Merged)>();
        for (int id = 0; id < tokens.IdsEnd; id++)
        {
            tokens.TryText(id, out ReadOnlySpan<byte> text);
            for (int cut = 1; cut < text.Length; cut++)
            {
                int left = tokens.Find(text[..cut]);
                int right = left < 0 ? -1 : tokens.Find(text[cut..]);
                if (right >= 0)
                {
                    merges.Add((left, right, id));
                }
            }
        }

        return merges;
    }

    /// <summary>What the ids depend on, the same for a table from a file and from a package.</summary>
    private static string Hash(TiktokenEncoding encoding, TokenTable tokens)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(string.Create(
            CultureInfo.InvariantCulture, $"tiktoken\n{encoding.Pattern}\n{encoding.EndOfDocument}\n{string.Join('\n', encoding.Special)}\n")));
        for (int id = 0; id < tokens.IdsEnd; id++)
        {
            tokens.TryText(id, out ReadOnlySpan<byte> text);
            hash.AppendData([(byte)(text.Length - 1)]);
            hash.AppendData(text);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
