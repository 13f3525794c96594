using QApollo.Quantization;

namespace QApollo.Data;

/// <summary>
/// Chooses documents for validation by a hash of their text (of its first megabyte), so that a document stays on its side
/// whatever else the corpus holds, and copies of it are never on both.
/// </summary>
/// <param name="Fraction">Share of the documents to hold out, 0 .. 1.</param>
internal readonly record struct HeldOutSplit(double Fraction, ulong Seed)
{
    /// <param name="firstPiece">The document's first piece: all of it, up to <see cref="TextPiece.MaxBytes"/>.</param>
    public bool IsHeldOut(ReadOnlySpan<byte> firstPiece)
    {
        if (Fraction == 0)
        {
            return false;
        }

        UInt128 hash = TextHash.Of(firstPiece);
        (uint low, uint high, _, _) = Philox.Block(
            (uint)Seed, (uint)(Seed >> 32), (uint)hash, (uint)(hash >> 32), (uint)(hash >> 64), (uint)(hash >> 96));
        return (((ulong)high << 32) | low) < Fraction * 18446744073709551616.0;
    }

    /// <summary>
    /// The parts of a dataset whose shards hold the training documents, then the held-out ones. When few documents have
    /// given a part that is empty or off by more than a factor of four, the last tokens are held out instead.
    /// </summary>
    public (HeldOutKind Kind, TokenRange Train, TokenRange Validation) Parts(long trainTokens, long heldOutTokens)
    {
        long tokens = trainTokens + heldOutTokens;
        if (Fraction == 0)
        {
            return (HeldOutKind.None, new TokenRange(0, tokens), new TokenRange(tokens, 0));
        }

        double share = (double)heldOutTokens / tokens;
        if (trainTokens > 0 && share >= Fraction / 4 && share <= Fraction * 4)
        {
            return (HeldOutKind.Documents, new TokenRange(0, trainTokens), new TokenRange(trainTokens, heldOutTokens));
        }

        (TokenRange train, TokenRange validation) = End(tokens, Fraction);
        return (HeldOutKind.End, train, validation);
    }

    /// <summary>Holds out the last tokens: two at least, so that there is something to predict; none when the fraction is 0.</summary>
    public static (TokenRange Train, TokenRange Validation) End(long tokens, double fraction)
    {
        long last = fraction == 0 ? 0 : Math.Clamp((long)(tokens * fraction), Math.Min(2, tokens), tokens);
        return (new TokenRange(0, tokens - last), new TokenRange(tokens - last, last));
    }
}
