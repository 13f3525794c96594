using QApollo.Data.Tokenizers.Text;
using Xunit;

namespace QApollo.Data.Tests.Tokenizers.Text;

public class Utf8TextTests
{
    [Fact]
    public void Broken_text_reads_the_same_forward_and_backward()
    {
        var random = new Random(5);
        for (int round = 0; round < 2000; round++)
        {
            byte[] text = TokenizerTesting.RandomText(random, 20);
            var forward = new List<(int, int)>();
            for (int at = 0; at < text.Length;)
            {
                int codePoint = Utf8Text.Decode(text, at, out int length);
                forward.Add((codePoint, at));
                at += length;
            }

            var backward = new List<(int, int)>();
            for (int end = text.Length; end > 0;)
            {
                int codePoint = Utf8Text.DecodeBefore(text, end, out int length);
                end -= length;
                backward.Insert(0, (codePoint, end));
            }

            Assert.Equal(forward, backward);
        }
    }

    [Theory]
    [InlineData(new byte[] { 0xE2, 0x82 }, 1)]
    [InlineData(new byte[] { 0xC0, 0x80 }, 1)]
    [InlineData(new byte[] { 0xED, 0xA0, 0x80 }, 1)]
    [InlineData(new byte[] { 0xF4, 0x90, 0x80, 0x80 }, 1)]
    [InlineData(new byte[] { 0xF0, 0x9F, 0x91, 0x8D }, 4)]
    public void Bytes_that_are_no_character_are_units_of_one(byte[] text, int length)
    {
        int codePoint = Utf8Text.Decode(text, 0, out int read);
        Assert.Equal(length, read);
        Assert.Equal(length == 1, Utf8Text.IsBroken(codePoint, read));
    }
}
