namespace QApollo.Checkpoints;

/// <summary>
/// Zero points as compressed-tensors packs them: word (r, g) holds those of group g of rows 4r to 4r + 3, row 4r in its lowest
/// byte; rows beyond the last count as 0.
/// </summary>
internal static class PackedZeroPoints
{
    /// <summary>Rows in a word.</summary>
    public const int Lanes = sizeof(int);

    /// <summary>Words for the groups at one place of all rows.</summary>
    public static int WordsOf(int rows) => (rows + Lanes - 1) / Lanes;

    /// <param name="zeroPoints">[rows, groups], from a row on that is a multiple of 4.</param>
    /// <returns>[words, groups], 4 bytes each.</returns>
    public static byte[] Pack(ReadOnlySpan<byte> zeroPoints, int groups)
    {
        int rows = zeroPoints.Length / groups;
        var packed = new byte[WordsOf(rows) * groups * Lanes];
        for (int row = 0; row < rows; row++)
        {
            int first = row / Lanes * groups;
            for (int group = 0; group < groups; group++)
            {
                packed[((first + group) * Lanes) + (row % Lanes)] = zeroPoints[(row * groups) + group];
            }
        }

        return packed;
    }

    /// <param name="packed">[words, groups], 4 bytes each.</param>
    /// <param name="firstLane">Place of the first row in its word.</param>
    /// <param name="zeroPoints">[rows, groups].</param>
    public static void Unpack(ReadOnlySpan<byte> packed, int firstLane, int groups, Span<byte> zeroPoints)
    {
        int rows = zeroPoints.Length / groups;
        for (int row = 0; row < rows; row++)
        {
            int first = (firstLane + row) / Lanes * groups;
            for (int group = 0; group < groups; group++)
            {
                zeroPoints[(row * groups) + group] = packed[((first + group) * Lanes) + ((firstLane + row) % Lanes)];
            }
        }
    }
}
