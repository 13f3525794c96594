using QApollo.Checkpoints.Interchange.Gguf;
using QApollo.Quantization;
using Xunit;

namespace QApollo.Tests.Checkpoints.Interchange;

public class Q8BlockTests
{
    [Fact]
    public void Values_come_back_within_half_a_step_and_the_largest_exactly_at_127()
    {
        var random = new Random(1);
        for (int round = 0; round < 200; round++)
        {
            float size = MathF.Pow(10, random.Next(-1, 4));
            float[] values = [.. Enumerable.Range(0, Q8Block.Values).Select(_ => (random.NextSingle() - 0.5f) * size)];
            var block = new byte[Q8Block.Bytes];
            Q8Block.Quantize(values, block);
            var read = new float[Q8Block.Values];
            Q8Block.Dequantize(block, read);
            float step = values.Max(Math.Abs) / 127;
            Assert.All(values.Zip(read), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0, step * 0.57f));
            Assert.Equal(127, block.Skip(2).Max(code => Math.Abs((int)(sbyte)code)));
        }
    }

    [Fact]
    public void Zeros_stay_zeros()
    {
        var block = new byte[Q8Block.Bytes];
        Q8Block.Quantize(new float[Q8Block.Values], block);
        Assert.Equal(new byte[Q8Block.Bytes], block);
    }

    [Theory]
    [InlineData(0.001f, 1, 255, 128, true)]
    [InlineData(0.001f, 0, 127, 0, true)]
    [InlineData(0.001f, 0, 128, 0, false)]
    [InlineData(0.001f, 0, 200, 128, false)]
    [InlineData(8e-6f, 1, 255, 128, true)]
    [InlineData(1e-7f, 1, 255, 128, false)]
    [InlineData(1e5f, 1, 255, 128, false)]
    public void Codes_are_copied_where_the_block_can_hold_them(float scale, byte smallest, byte largest, byte zeroPoint, bool expected)
    {
        ushort bits = BFloat.FromSingle(scale);
        byte[] codes = [.. Enumerable.Range(0, Q8Block.Values).Select(i => (byte)(smallest + ((largest - smallest) * i / (Q8Block.Values - 1))))];
        var block = new byte[Q8Block.Bytes];
        Assert.Equal(expected, Q8Block.TryCopy(codes, zeroPoint, bits, block));
        if (expected)
        {
            var read = new float[Q8Block.Values];
            Q8Block.Dequantize(block, read);
            Assert.Equal(codes.Select(code => (code - zeroPoint) * BFloat.ToSingle(bits)), read);
        }
    }
}
