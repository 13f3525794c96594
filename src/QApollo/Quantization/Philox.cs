namespace QApollo.Quantization;

/// <summary>
/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a keyed bijection of a
/// 128-bit counter. Stateless, so any element of any stream can be drawn at any time.
/// </summary>
public static class Philox
{
    public const uint Multiplier0 = 0xD2511F53;
    public const uint Multiplier1 = 0xCD9E8D57;
    public const uint Weyl0 = 0x9E3779B9;
    public const uint Weyl1 = 0xBB67AE85;
    public const int Rounds = 10;

    /// <summary>The four words of block <paramref name="block"/> (0 to 2^48 - 1) of a stream.</summary>
    public static (uint X0, uint X1, uint X2, uint X3) Block(in RandomStream stream, ulong block) => Block(
        (uint)stream.Seed,
        (uint)(stream.Seed >> 32),
        (uint)block,
        (uint)(block >> 32) | ((uint)stream.Purpose << 16),
        stream.Parameter,
        stream.Step);

    /// <summary>The bijection itself: key (k0, k1), counter (c0, c1, c2, c3).</summary>
    public static (uint X0, uint X1, uint X2, uint X3) Block(uint k0, uint k1, uint c0, uint c1, uint c2, uint c3)
    {
        for (int round = 0; round < Rounds; round++)
        {
            ulong product0 = (ulong)Multiplier0 * c0;
            ulong product1 = (ulong)Multiplier1 * c2;
            (c0, c1, c2, c3) = ((uint)(product1 >> 32) ^ c1 ^ k0, (uint)product1, (uint)(product0 >> 32) ^ c3 ^ k1, (uint)product0);
            k0 += Weyl0;
            k1 += Weyl1;
        }

        return (c0, c1, c2, c3);
    }

    /// <summary>Word <paramref name="element"/> of a stream.</summary>
    public static uint Word(in RandomStream stream, ulong element)
    {
        var (x0, x1, x2, x3) = Block(stream, element >> 2);
        return (element & 3) switch { 0 => x0, 1 => x1, 2 => x2, _ => x3 };
    }

    /// <summary>Maps a word to a uniform value in [0, 1) with 24 bits: exact in binary32.</summary>
    public static float ToUniform(uint word) => (word >> 8) * (1f / 16777216f);
}
