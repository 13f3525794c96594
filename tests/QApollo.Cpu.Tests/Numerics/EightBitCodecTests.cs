using QApollo.Cpu.Numerics;
using QApollo.Devices;
using QApollo.TestSupport.Contract;
using Xunit;

namespace QApollo.Cpu.Tests.Numerics;

public sealed unsafe class EightBitCodecTests
{
    /// <summary>Every map entry, every midpoint's neighbours, and values over all magnitudes find their nearest entry.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Codes_are_the_nearest_entries(bool signed)
    {
        EightBitCodec codec = signed ? EightBitCodec.First : EightBitCodec.Second;
        float[] map = (signed ? EightBitMap.FirstMoment : EightBitMap.SecondMoment).ToArray();
        var candidates = new List<float>(map);
        for (int i = 0; i < map.Length - 1; i++)
        {
            float middle = (map[i] + map[i + 1]) / 2;
            candidates.AddRange([MathF.BitDecrement(middle), MathF.BitIncrement(middle)]);
        }

        foreach (double exponent in new Samples(1).Uniform(20_000, -30, 0))
        {
            float value = (float)Math.Pow(2, exponent);
            candidates.AddRange(signed ? [value, -value] : [value]);
        }

        float* values = stackalloc float[2];
        byte* codes = stackalloc byte[2];
        foreach (float candidate in candidates)
        {
            (values[0], values[1]) = (candidate, 1f);
            Assert.Equal(1f, codec.Encode(values, codes, 2));
            double best = map.Min(entry => Math.Abs((double)entry - candidate));
            Assert.True(Math.Abs((double)map[codes[0]] - candidate) <= best + 1e-7 * Math.Abs(candidate), $"{candidate} became {map[codes[0]]}");
        }
    }

    [Fact]
    public void Codes_survive_decoding()
    {
        byte* codes = stackalloc byte[256];
        byte* again = stackalloc byte[256];
        float* values = stackalloc float[256];
        for (int i = 0; i < 256; i++)
        {
            codes[i] = (byte)i;
        }

        EightBitCodec.First.Decode(codes, 0.25f, values, 256);
        Assert.Equal(0.25f, EightBitCodec.First.Encode(values, again, 256));
        Assert.True(new ReadOnlySpan<byte>(codes, 256).SequenceEqual(new ReadOnlySpan<byte>(again, 256)));
    }
}
