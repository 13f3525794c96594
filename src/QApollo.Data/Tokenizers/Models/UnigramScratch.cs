namespace QApollo.Data.Tokenizers.Models;

/// <summary>The best way to each end of the text so far.</summary>
internal sealed class UnigramScratch
{
    private const int Kept = 1 << 16;

    public double[] Scores { get; private set; } = [];

    /// <summary>Where the last token of the best way begins, -1 when no way leads here.</summary>
    public int[] Starts { get; private set; } = [];

    public int[] Ids { get; private set; } = [];

    /// <summary>Room for the ends 0 .. <paramref name="length"/>, none reached.</summary>
    public void Reset(int length)
    {
        if (Starts.Length <= length)
        {
            int size = Math.Max(length + 1, 256);
            (Scores, Starts, Ids) = (new double[size], new int[size], new int[size]);
        }

        Starts.AsSpan(0, length + 1).Fill(-1);
    }

    public void Trim()
    {
        if (Starts.Length > Kept)
        {
            (Scores, Starts, Ids) = ([], [], []);
        }
    }
}
