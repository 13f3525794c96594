using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Patterns;

/// <summary>How a repetition chooses its count: most first, least first, most and never less.</summary>
internal enum Greed
{
    Greedy,
    Lazy,
    Possessive,
}

internal enum AnchorKind
{
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    TextEndOrLastLineEnd,
    WordBoundary,
    NotWordBoundary,
}

/// <summary>The syntax tree of a pattern.</summary>
internal abstract record PatternNode
{
    /// <summary>One code point of a set.</summary>
    public sealed record One(CodePointSet Set) : PatternNode;

    public sealed record Sequence(IReadOnlyList<PatternNode> Items) : PatternNode;

    /// <summary>The first alternative that lets the rest match.</summary>
    public sealed record Choice(IReadOnlyList<PatternNode> Items) : PatternNode;

    /// <param name="Max"><see cref="int.MaxValue"/>: without end.</param>
    public sealed record Repeat(PatternNode Body, int Min, int Max, Greed Greed) : PatternNode;

    public sealed record LookAhead(PatternNode Body, bool Negative) : PatternNode;

    /// <summary>Whether the code point before is in a set; false at the start of the text.</summary>
    public sealed record LookBehind(CodePointSet Set, bool Negative) : PatternNode;

    /// <summary>A group that, once matched, is not tried otherwise.</summary>
    public sealed record Atomic(PatternNode Body) : PatternNode;

    public sealed record Anchor(AnchorKind Kind) : PatternNode;

    /// <summary>Whether it can match the empty text.</summary>
    public bool CanBeEmpty => this switch
    {
        One => false,
        Sequence s => s.Items.All(item => item.CanBeEmpty),
        Choice c => c.Items.Any(item => item.CanBeEmpty),
        Repeat r => r.Min == 0 || r.Body.CanBeEmpty,
        Atomic a => a.Body.CanBeEmpty,
        _ => true,
    };

    /// <summary>The bytes that a match can begin with; null when a match can be empty, so that any byte may follow.</summary>
    public bool[]? FirstBytes() => this switch
    {
        One one => one.Set.FirstBytes(),
        Sequence s => FirstOfSequence(s.Items),
        Choice c => Union(c.Items.Select(item => item.FirstBytes())),
        Repeat { Min: > 0 } r => r.Body.FirstBytes(),
        Atomic a => a.Body.FirstBytes(),
        _ => null,
    };

    private static bool[]? FirstOfSequence(IReadOnlyList<PatternNode> items)
    {
        var bytes = new bool[256];
        foreach (PatternNode item in items)
        {
            // An item that may be empty adds its own first bytes to those of what follows.
            bool[]? first = item switch
            {
                Repeat { Min: 0 } r => r.Body.FirstBytes(),
                LookAhead or LookBehind or Anchor => new bool[256],
                _ => item.FirstBytes(),
            };
            if (first is null)
            {
                return null;
            }

            for (int i = 0; i < 256; i++)
            {
                bytes[i] |= first[i];
            }

            if (!item.CanBeEmpty)
            {
                return bytes;
            }
        }

        return null;
    }

    private static bool[]? Union(IEnumerable<bool[]?> parts)
    {
        var bytes = new bool[256];
        foreach (bool[]? part in parts)
        {
            if (part is null)
            {
                return null;
            }

            for (int i = 0; i < 256; i++)
            {
                bytes[i] |= part[i];
            }
        }

        return bytes;
    }
}
