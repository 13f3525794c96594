using QApollo.Cpu.Numerics;
using QApollo.Quantization;
using Xunit;

namespace QApollo.Cpu.Tests.Numerics;

public sealed unsafe class PhiloxWordsTests
{
    /// <summary>Any start and length, blocks beyond 2^32 included.</summary>
    [Theory]
    [InlineData(0ul)]
    [InlineData(5ul)]
    [InlineData(1234567ul)]
    [InlineData(0x3FFFFFFFAul)]
    [InlineData(0x2_0000_0000_0003ul)]
    public void Words_are_those_of_the_scalar_generator(ulong first)
    {
        var stream = new RandomStream(0xFEDCBA9876543210, RandomPurpose.StochasticRounding, 0xFFFFFFFF, 77);
        uint* buffer = stackalloc uint[256 + PhiloxWords.Slack + 1];
        foreach (int count in (int[])[1, 2, 3, 4, 5, 16, 17, 63, 256])
        {

            buffer[count + PhiloxWords.Slack] = 0xCAFE;
            uint* words = PhiloxWords.Fill(stream, first, count, buffer);
            for (int i = 0; i < count; i++)
            {
                Assert.Equal(Philox.Word(stream, first + (ulong)i), words[i]);
            }

            Assert.Equal(0xCAFEu, buffer[count + PhiloxWords.Slack]);
        }
    }
}
