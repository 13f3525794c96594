using System.Collections.Frozen;
using System.Globalization;
using QApollo.Data.Tokenizers.Pipeline;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Models;

/// <summary>What distinguishes one byte-pair encoding from another.</summary>
internal sealed record BpeRules
{
    /// <summary>The first symbols are bytes (GPT-2) and not characters (SentencePiece).</summary>
    public bool ByteLevel { get; init; }

    /// <summary>A word that is a token is that token, whatever the merges say.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>Ids that no word becomes, whatever its text: special tokens, where those are text.</summary>
    public IReadOnlySet<int> Hidden { get; init; } = FrozenSet<int>.Empty;

    /// <summary>A character without a symbol becomes the tokens of its bytes.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>The id for what has no other; -1: it is left out.</summary>
    public int Unknown { get; init; } = -1;

    /// <summary>Neighbouring unknown characters of a word count as one.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>As <see cref="FuseUnknown"/>, over the ends of words too, as SentencePiece does.</summary>
    public bool FuseUnknownAcrossWords { get; init; }

    /// <summary>Words begin at U+2581 after another character, and no merge reaches over that: they can be encoded one by one.</summary>
    public bool CutAtWordMarks { get; init; }
}

/// <summary>
/// Byte-pair encoding (Sennrich et al., arXiv 1508.07909): a word's symbols are merged in the order of the merges.
/// </summary>
/// <param name="symbols">The id of each first symbol: of a byte as one byte, of a character as its UTF-8.</param>
/// <param name="words">For <see cref="BpeRules.IgnoreMerges"/>: the tokens by their bytes.</param>
/// <param name="bytes">For <see cref="BpeRules.ByteFallback"/>: the id of each byte, -1 without one.</param>
/// <param name="expansions">The ids that stand for each symbol that is no token; symbols count on from the vocabulary.</param>
internal sealed class BpeModel(
    BpeRules rules, PairTable pairs, TokenTable symbols, TokenTable words, int[] bytes, int vocabularySize, int[][] expansions)
    : PieceStage
{
    private readonly int[] _byteSymbols = FindBytes(symbols);

    public static ReadOnlySpan<byte> WordMark => "\u2581"u8;

    public override void Accept(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        if (!rules.CutAtWordMarks)
        {
            EncodeWord(piece, state);
            return;
        }

        for (int at = 0; at < piece.Length;)
        {
            int length = WordLength(piece[at..]);
            EncodeWord(piece.Slice(at, length), state);
            at += length;
        }
    }

    /// <summary>Whether no token goes on with a word mark after another character.</summary>
    public static bool StaysInWord(ReadOnlySpan<byte> token) => WordLength(token) == token.Length;

    /// <summary>The bytes up to the next word mark after another character.</summary>
    public static int WordLength(ReadOnlySpan<byte> text)
    {
        int marks = 0;
        while (text[marks..].StartsWith(WordMark))
        {
            marks += WordMark.Length;
        }

        int next = text[marks..].IndexOf(WordMark);
        return next < 0 ? text.Length : marks + next;
    }

    private void EncodeWord(ReadOnlySpan<byte> word, EncodeState state)
    {
        bool cached = word.Length is > 0 and <= WordCache.MaxBytes;
        if (cached && state.Cache.TryAdd(word, state))
        {
            return;
        }

        BpeScratch scratch = state.Bpe;
        scratch.Clear();
        int whole = rules.IgnoreMerges ? words.Find(word) : -1;
        if (whole >= 0 && !rules.Hidden.Contains(whole))
        {
            scratch.Add(whole);
        }
        else
        {
            AddSymbols(word, scratch);
            scratch.Merge(pairs);
        }

        foreach (int symbol in scratch.Symbols)
        {
            if (symbol < vocabularySize)
            {
                Emit(symbol, state);
                cached &= !rules.FuseUnknownAcrossWords || symbol != rules.Unknown;
                continue;
            }

            cached = false;
            foreach (int id in expansions[symbol - vocabularySize])
            {
                Emit(id, state);
            }
        }

        if (cached)
        {
            state.Cache.Put(word, scratch.Symbols);
        }
    }

    private void Emit(int id, EncodeState state)
    {
        if (rules.FuseUnknownAcrossWords)
        {
            state.AddFused(id, rules.Unknown);
        }
        else
        {
            state.Add(id);
        }
    }

    private void AddSymbols(ReadOnlySpan<byte> word, BpeScratch scratch)
    {
        bool unknownBefore = false;
        int length = 1;
        for (int at = 0; at < word.Length; at += length)
        {
            int symbol = _byteSymbols[word[at]];
            if (!rules.ByteLevel && word[at] >= 0x80)
            {
                int codePoint = Utf8Text.Decode(word, at, out length);
                bool broken = Utf8Text.IsBroken(codePoint, length);
                symbol = broken && !rules.ByteFallback ? symbols.Find("\uFFFD"u8) : symbols.Find(word.Slice(at, length));
            }
            else
            {
                length = 1;
            }

            if (symbol >= 0)
            {
                scratch.Add(symbol);
                unknownBefore = false;
            }
            else if (!TryAddBytes(word.Slice(at, length), scratch) && rules.Unknown >= 0)
            {
                if (!unknownBefore || !rules.FuseUnknown)
                {
                    scratch.Add(rules.Unknown);
                }

                unknownBefore = true;
            }
        }
    }

    private bool TryAddBytes(ReadOnlySpan<byte> character, BpeScratch scratch)
    {
        if (!rules.ByteFallback)
        {
            return false;
        }

        foreach (byte value in character)
        {
            if (bytes[value] < 0)
            {
                return false;
            }
        }

        foreach (byte value in character)
        {
            scratch.Add(bytes[value]);
        }

        return true;
    }

    private static int[] FindBytes(TokenTable symbols)
    {
        var found = new int[256];
        for (int i = 0; i < found.Length; i++)
        {
            found[i] = symbols.Find([(byte)i]);
        }

        return found;
    }

    /// <summary>The token that stands for a byte where bytes are the last resort: &lt;0x0A&gt;.</summary>
    public static string ByteToken(int value) => string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>");

    /// <summary>The byte behind <see cref="ByteToken"/>, -1 when the token is no such.</summary>
    public static int ByteOf(ReadOnlySpan<byte> token)
    {
        bool shaped = token.Length == 6 && token.StartsWith("<0x"u8) && token[5] == '>';
        return shaped && byte.TryParse(token[3..5], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value) ? value : -1;
    }
}
