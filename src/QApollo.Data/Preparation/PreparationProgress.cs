namespace QApollo.Data;

/// <summary>What a preparation is doing.</summary>
public enum PreparationPhase
{
    /// <summary>Hashing the source files, to find out whether the dataset is there already.</summary>
    Hashing = 1,

    Tokenizing = 2,

    /// <summary>Comparing the shards with their hashes.</summary>
    Verifying = 3,
}

/// <summary>How far a preparation is.</summary>
/// <param name="BytesDone">Of the files being read, as they are on disk.</param>
/// <param name="BytesTotal">Their size.</param>
/// <param name="TextBytes">UTF-8 bytes of documents so far.</param>
/// <param name="ResumedBytes">Part of <paramref name="BytesDone"/> that an earlier, interrupted run did.</param>
/// <param name="ResumedTextBytes">Part of <paramref name="TextBytes"/> that it did.</param>
/// <param name="ResumedTokens">Part of <paramref name="Tokens"/> that it did.</param>
/// <param name="Elapsed">Time spent on this phase by this run.</param>
public readonly record struct PreparationProgress(
    PreparationPhase Phase,
    long BytesDone,
    long BytesTotal,
    long Documents,
    long TextBytes,
    long Tokens,
    long ResumedBytes,
    long ResumedTextBytes,
    long ResumedTokens,
    TimeSpan Elapsed)
{
    /// <summary>Megabytes (10^6) per second: of text while tokenizing, else of files.</summary>
    public double MegabytesPerSecond =>
        (Phase == PreparationPhase.Tokenizing ? TextBytes - ResumedTextBytes : BytesDone - ResumedBytes) / 1e6 / Seconds;

    public double TokensPerSecond => (Tokens - ResumedTokens) / Seconds;

    /// <summary>Estimated from this run's speed; null before anything is done.</summary>
    public TimeSpan? Remaining => BytesDone <= ResumedBytes
        ? null
        : Elapsed * ((double)(BytesTotal - BytesDone) / (BytesDone - ResumedBytes));

    private double Seconds => Math.Max(Elapsed.TotalSeconds, 1e-6);
}
