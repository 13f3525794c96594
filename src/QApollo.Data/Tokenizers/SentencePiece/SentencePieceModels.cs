using QApollo.Data.Tokenizers.Models;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.SentencePiece;

/// <summary>Makes the segmentation model of a SentencePiece file.</summary>
internal static class SentencePieceModels
{
    /// <summary>
    /// Scores by id. A user-defined piece always wins over its parts (unigram_model.cc): its score is near zero.
    /// </summary>
    public static double[] UnigramScores(PieceTables tables)
    {
        float highest = tables.Pieces.Where(piece => piece.Type == PieceType.Normal).Select(piece => piece.Score).Append(float.Epsilon).Max();
        return [.. tables.Pieces.Select(piece => piece.Type == PieceType.UserDefined ? (piece.Text.Length * highest) - 0.1 : piece.Score)];
    }

    public static UnigramModel Unigram(PieceTables tables)
    {
        var trie = new ByteTrie();
        double[] scores = UnigramScores(tables);
        float lowest = tables.Pieces.Where(piece => piece.Type == PieceType.Normal).Select(piece => piece.Score).DefaultIfEmpty(float.MaxValue).Min();
        for (int id = 0; id < scores.Length; id++)
        {
            Piece piece = tables.Pieces[id];
            if (PieceTables.IsText(piece))
            {
                trie.Add(piece.Text, id);
            }
        }

        var rules = new UnigramRules
        {
            Unknown = tables.Unknown,
            UnknownScore = lowest - (float)UnigramRules.UnknownPenalty,
            Bytes = tables.Bytes,
            SinglePrecision = true,
            FuseAcrossWords = true,
            CutAtWordMarks = tables.StayInWord,
        };
        return new UnigramModel(rules, trie, scores);
    }

    /// <summary>
    /// BPE. SentencePiece merges two symbols when their text together is a piece, best score first; here every piece
    /// is taken apart beforehand into all pairs of symbols that make it, ranked by its score.
    /// </summary>
    /// <exception cref="UsageException">A piece is marked unused, which this model type does not support.</exception>
    public static BpeModel Bpe(PieceTables tables)
    {
        var symbols = new TokenTable(tables.Pieces.Count);
        int splits = 0;
        for (int id = 0; id < tables.Pieces.Count; id++)
        {
            Piece piece = tables.Pieces[id];
            if (piece.Type == PieceType.Unused)
            {
                throw new UsageException($"piece {id} is unused, which is not supported in BPE models");
            }

            if (PieceTables.IsText(piece))
            {
                symbols.Set(piece.Text, id);
                splits += piece.Text.Length - 1;
            }
        }

        var expansions = new List<int[]>();
        AddLooseCharacters(tables, symbols, expansions);
        var pairs = new PairTable(splits);
        Dictionary<float, int> ranks = Ranks(tables);
        for (int id = 0; id < tables.Pieces.Count; id++)
        {
            ReadOnlySpan<byte> text = tables.Pieces[id].Text;
            for (int cut = NextCharacter(text, 0); PieceTables.IsText(tables.Pieces[id]) && cut < text.Length; cut = NextCharacter(text, cut))
            {
                int left = symbols.Find(text[..cut]);
                int right = left < 0 ? -1 : symbols.Find(text[cut..]);
                if (right >= 0)
                {
                    pairs.Add(left, right, ranks[tables.Pieces[id].Score], id);
                }
            }
        }

        var rules = new BpeRules
        {
            ByteFallback = tables.Bytes is not null,
            Unknown = tables.Unknown,
            FuseUnknownAcrossWords = true,
            CutAtWordMarks = tables.StayInWord,
        };
        return new BpeModel(rules, pairs, symbols, symbols, tables.Bytes ?? [], tables.Pieces.Count, [.. expansions]);
    }

    /// <summary>Characters that are no pieces but parts of some: symbols all the same, written as unknown if left over.</summary>
    private static void AddLooseCharacters(PieceTables tables, TokenTable symbols, List<int[]> expansions)
    {
        foreach (Piece piece in tables.Pieces.Where(PieceTables.IsText))
        {
            ReadOnlySpan<byte> text = piece.Text;
            for (int start = 0, end; start < text.Length; start = end)
            {
                end = NextCharacter(text, start);
                ReadOnlySpan<byte> character = text[start..end];
                if (symbols.Find(character) < 0)
                {
                    symbols.Set(character, tables.Pieces.Count + expansions.Count);
                    int[] ids = tables.Bytes is int[] bytes ? [.. character.ToArray().Select(value => bytes[value])] : [tables.Unknown];
                    expansions.Add(ids);
                }
            }
        }
    }

    /// <summary>0 for the highest score; equal scores share a rank, so that the leftmost pair goes first.</summary>
    private static Dictionary<float, int> Ranks(PieceTables tables)
    {
        var ranks = new Dictionary<float, int>();
        foreach (float score in tables.Pieces.Where(PieceTables.IsText).Select(piece => piece.Score).Distinct().OrderDescending())
        {
            ranks.Add(score, ranks.Count);
        }

        return ranks;
    }

    private static int NextCharacter(ReadOnlySpan<byte> text, int at)
    {
        Utf8Text.Decode(text, at, out int length);
        return at + length;
    }
}
