using QApollo.Data.Tokenizers.Pipeline;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Models;

/// <summary>What distinguishes one unigram model from another.</summary>
internal sealed record UnigramRules
{
    /// <summary>The cost of an unknown character, below the lowest score.</summary>
    public const double UnknownPenalty = 10.0;

    public required int Unknown { get; init; }

    /// <summary>The score of one unknown character: the lowest score of the vocabulary less the penalty.</summary>
    public required double UnknownScore { get; init; }

    /// <summary>The id of each byte for characters that are unknown; null: those are <see cref="Unknown"/>.</summary>
    public int[]? Bytes { get; init; }

    /// <summary>Sums of scores are rounded to binary32 as they go, as SentencePiece does; they decide near ties.</summary>
    public bool SinglePrecision { get; init; }

    /// <summary>SentencePiece: one unknown id for several unknown characters in a row, over the ends of words too.</summary>
    public bool FuseAcrossWords { get; init; }

    /// <summary>No token reaches over the start of a word (U+2581 after another character): ways meet there.</summary>
    public bool CutAtWordMarks { get; init; }
}

/// <summary>
/// The unigram language model (Kudo, arXiv 1804.10959): the segmentation of the highest total score, by Viterbi.
/// </summary>
/// <param name="pieces">The ids of the tokens that segmentation may use.</param>
/// <param name="scores">By id.</param>
internal sealed class UnigramModel(UnigramRules rules, ByteTrie pieces, double[] scores) : PieceStage
{
    public override void Accept(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        double score = 0;
        while (!piece.IsEmpty)
        {
            int length = rules.CutAtWordMarks ? BpeModel.WordLength(piece) : piece.Length;
            score = Encode(piece[..length], score, state);
            piece = piece[length..];
        }
    }

    /// <summary>Adds the ids of a part that ways enter with one score; the score of the best way through it.</summary>
    private double Encode(ReadOnlySpan<byte> text, double before, EncodeState state)
    {
        UnigramScratch ways = state.Unigram;
        ways.Reset(text.Length);
        ways.Scores[0] = before;
        for (int start = 0; start < text.Length;)
        {
            Utf8Text.Decode(text, start, out int character);
            if (!Extend(text, start, character, ways))
            {
                Offer(ways, start, start + character, rules.UnknownScore, rules.Unknown);
            }

            start += character;
        }

        Emit(text, ways, state);
        return ways.Scores[text.Length];
    }

    /// <summary>Offers each token that begins here; whether one is exactly the one character.</summary>
    private bool Extend(ReadOnlySpan<byte> text, int start, int character, UnigramScratch ways)
    {
        bool single = false;
        int node = ByteTrie.Root;
        for (int end = start; end < text.Length;)
        {
            node = pieces.Step(node, text[end++]);
            if (node == ByteTrie.None)
            {
                break;
            }

            int id = pieces.Value(node);
            if (id != ByteTrie.None)
            {
                Offer(ways, start, end, scores[id], id);
                single |= end - start == character;
            }
        }

        return single;
    }

    private void Offer(UnigramScratch ways, int start, int end, double score, int id)
    {
        double candidate = score + ways.Scores[start];
        if (ways.Starts[end] < 0 || candidate > ways.Scores[end])
        {
            ways.Scores[end] = rules.SinglePrecision ? (float)candidate : candidate;
            ways.Starts[end] = start;
            ways.Ids[end] = id;
        }
    }

    private void Emit(ReadOnlySpan<byte> text, UnigramScratch ways, EncodeState state)
    {
        // The way is known backward: turn its links around, then follow them forward.
        int next = -1;
        for (int end = text.Length; end > 0;)
        {
            int start = ways.Starts[end];
            ways.Starts[end] = next;
            next = end;
            end = start;
        }

        bool unknownBefore = false;
        for (int start = 0, end = next; end >= 0; start = end, end = ways.Starts[start])
        {
            bool unknown = ways.Ids[end] == rules.Unknown;
            if (!unknown)
            {
                state.Add(ways.Ids[end]);
            }
            else if (rules.Bytes is int[] bytes)
            {
                foreach (byte value in text[start..end])
                {
                    state.Add(bytes[value]);
                }
            }
            else if (rules.FuseAcrossWords)
            {
                state.AddFused(rules.Unknown, rules.Unknown);
            }
            else if (!unknownBefore)
            {
                state.Add(rules.Unknown);
            }

            unknownBefore = unknown;
        }
    }
}
