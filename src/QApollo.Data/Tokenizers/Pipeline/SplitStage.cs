using QApollo.Data.Tokenizers.Patterns;

namespace QApollo.Data.Tokenizers.Pipeline;

/// <summary>What becomes of the parts that a pattern matches.</summary>
internal enum SplitBehavior
{
    /// <summary>They are left out.</summary>
    Removed,

    /// <summary>Each is a piece.</summary>
    Isolated,

    /// <summary>Each ends the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>Each begins the piece after it.</summary>
    MergedWithNext,

    /// <summary>Neighbouring ones are one piece.</summary>
    Contiguous,
}

/// <summary>Cuts at the matches of a pattern.</summary>
/// <param name="invert">What lies between matches counts as matched, and the other way around.</param>
internal sealed class SplitStage(ITextMatcher matcher, SplitBehavior behavior, bool invert, PieceStage next) : PieceStage
{
    public override void Accept(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        if (behavior == SplitBehavior.Isolated)
        {
            Isolate(piece, first, state);
            return;
        }

        var walk = new MatchWalk(matcher, piece, state);
        var pending = default(Pending);
        int at = 0;
        while (walk.MoveNext())
        {
            if (walk.Start > at)
            {
                Add(piece, new Pending(at, walk.Start, invert), ref pending, first, state);
            }

            Add(piece, new Pending(walk.Start, walk.End, !invert), ref pending, first, state);
            at = walk.End;
        }

        if (at < piece.Length)
        {
            Add(piece, new Pending(at, piece.Length, invert), ref pending, first, state);
        }

        Send(piece, pending, first, state);
    }

    /// <summary>The usual case, on the hot path: each match and each gap is a piece, whichever is which.</summary>
    private void Isolate(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        var walk = new MatchWalk(matcher, piece, state);
        int at = 0;
        while (walk.MoveNext())
        {
            if (walk.Start > at)
            {
                next.Accept(piece[at..walk.Start], first && at == 0, state);
            }

            if (walk.End > walk.Start)
            {
                next.Accept(piece[walk.Start..walk.End], first && walk.Start == 0, state);
            }

            at = walk.End;
        }

        if (at < piece.Length)
        {
            next.Accept(piece[at..], first && at == 0, state);
        }
    }

    /// <summary>A part that may still grow.</summary>
    private readonly record struct Pending(int Start, int End, bool Matched);

    /// <summary>Joins a part to the pending one or sends that and keeps the part; what cannot grow is sent at once.</summary>
    private void Add(ReadOnlySpan<byte> piece, Pending part, ref Pending pending, bool first, EncodeState state)
    {
        bool join = behavior switch
        {
            SplitBehavior.MergedWithPrevious => part.Matched && !pending.Matched,
            SplitBehavior.MergedWithNext => pending.Matched && !part.Matched,
            SplitBehavior.Contiguous => part.Matched == pending.Matched,
            _ => false,
        };
        if (join)
        {
            pending = part with { Start = pending.End == pending.Start ? part.Start : pending.Start };
            return;
        }

        Send(piece, pending, first, state);
        pending = behavior == SplitBehavior.Removed && part.Matched ? default : part;
    }

    private void Send(ReadOnlySpan<byte> piece, Pending part, bool first, EncodeState state)
    {
        if (part.End > part.Start)
        {
            next.Accept(piece[part.Start..part.End], first && part.Start == 0, state);
        }
    }
}
