using QApollo.Quantization;
using Xunit;

namespace QApollo.Tests.Quantization;

public class PhiloxTests
{
    /// <summary>The known answers that the authors of the generator publish for Philox4x32-10.</summary>
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0xa4093822u, 0x299f31d0u, 0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Blocks_match_the_published_answers(
        uint k0, uint k1, uint c0, uint c1, uint c2, uint c3, uint x0, uint x1, uint x2, uint x3) =>
        Assert.Equal((x0, x1, x2, x3), Philox.Block(k0, k1, c0, c1, c2, c3));

    [Fact]
    public void Words_of_a_stream_are_those_of_its_blocks()
    {
        var stream = new RandomStream(7, RandomPurpose.Initialization, 3, 5);
        var (x0, x1, x2, x3) = Philox.Block(stream, 9);
        Assert.Equal([x0, x1, x2, x3], Enumerable.Range(36, 4).Select(element => Philox.Word(stream, (ulong)element)));
    }

    [Fact]
    public void Uniform_values_stay_below_one()
    {
        Assert.Equal(0f, Philox.ToUniform(0));
        Assert.True(Philox.ToUniform(uint.MaxValue) < 1f);
    }
}
