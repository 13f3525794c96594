using System.Text;
using QApollo.Data.Tokenizers.Text;
using Xunit;

namespace QApollo.Data.Tests.Tokenizers.Text;

public class UnicodeNormalizationTests
{
    private readonly UnicodeNormalization _normalization = new();

    [Theory]
    [InlineData("e\u0301", "\u00e9", "e\u0301", "\u00e9", "e\u0301")]
    [InlineData("\u212b", "\u00c5", "A\u030a", "\u00c5", "A\u030a")]
    [InlineData("\ufb01", "\ufb01", "\ufb01", "fi", "fi")]
    [InlineData("\u1e9b\u0323", "\u1e9b\u0323", "\u017f\u0323\u0307", "\u1e69", "s\u0323\u0307")]
    [InlineData("\uac01", "\uac01", "\u1100\u1161\u11a8", "\uac01", "\u1100\u1161\u11a8")]
    [InlineData("\u1100\u1161\u11a8", "\uac01", "\u1100\u1161\u11a8", "\uac01", "\u1100\u1161\u11a8")]
    [InlineData("\u0958", "\u0915\u093c", "\u0915\u093c", "\u0915\u093c", "\u0915\u093c")]
    [InlineData("q\u0307\u0323", "q\u0323\u0307", "q\u0323\u0307", "q\u0323\u0307", "q\u0323\u0307")]
    [InlineData("\u09c7\u09be", "\u09cb", "\u09c7\u09be", "\u09cb", "\u09c7\u09be")]
    [InlineData("\ud834\udd5e", "\ud834\udd57\ud834\udd65", "\ud834\udd57\ud834\udd65", "\ud834\udd57\ud834\udd65", "\ud834\udd57\ud834\udd65")]
    [InlineData("\u2460\u00bd", "\u2460\u00bd", "\u2460\u00bd", "11\u20442", "11\u20442")]
    [InlineData("ab\u0327c", "ab\u0327c", "ab\u0327c", "ab\u0327c", "ab\u0327c")]
    // Of Unicode 12 and 11: to Hugging Face's library, which knows Unicode 9, they are characters like any other.
    [InlineData("\ud83c\udd6c", "\ud83c\udd6c", "\ud83c\udd6c", "\ud83c\udd6c", "\ud83c\udd6c")]
    [InlineData("a\u0301\u07fd\u0327", "\u00e1\u07fd\u0327", "a\u0301\u07fd\u0327", "\u00e1\u07fd\u0327", "a\u0301\u07fd\u0327")]
    public void Forms_follow_the_standard(string text, string nfc, string nfd, string nfkc, string nfkd)
    {
        Assert.Equal(nfc, Normalize(text, compatible: false, compose: true));
        Assert.Equal(nfd, Normalize(text, compatible: false, compose: false));
        Assert.Equal(nfkc, Normalize(text, compatible: true, compose: true));
        Assert.Equal(nfkd, Normalize(text, compatible: true, compose: false));
    }

    [Fact]
    public void Forms_do_not_change_when_applied_again()
    {
        var random = new Random(3);
        for (int round = 0; round < 3000; round++)
        {
            string text = string.Concat(Enumerable.Range(0, 12).Select(_ => new Rune(random.Next(4) switch
            {
                0 => random.Next(0x300, 0x370),
                1 => random.Next(0x1100, 0x1200),
                2 => random.Next(0x20, 0xD7FF),
                _ => random.Next(0x10000, 0x2FA20),
            })));
            foreach (bool compatible in new[] { false, true })
            {
                string composed = Normalize(text, compatible, compose: true);
                string decomposed = Normalize(text, compatible, compose: false);
                Assert.Equal(composed, Normalize(composed, compatible, compose: true));
                Assert.Equal(composed, Normalize(decomposed, compatible, compose: true));
                Assert.Equal(decomposed, Normalize(composed, compatible, compose: false));
            }
        }
    }

    [Fact]
    public void Broken_bytes_stay()
    {
        var output = new ByteBuffer();
        _normalization.Apply([0xC3, (byte)'e', 0xCC, 0x81, 0xFF], compatible: false, compose: true, output);
        Assert.Equal([0xC3, 0xC3, 0xA9, 0xFF], output.Written.ToArray());
    }

    [Fact]
    public void A_long_run_of_marks_takes_no_quadratic_time()
    {
        string marks = string.Concat(Enumerable.Repeat("\u0301\u0323", 200_000));
        string normalized = Normalize("a" + marks, compatible: false, compose: true);
        Assert.Equal("\u1ea1" + new string('\u0323', 199_999) + new string('\u0301', 200_000), normalized);
    }

    private string Normalize(string text, bool compatible, bool compose)
    {
        var output = new ByteBuffer();
        _normalization.Apply(Encoding.UTF8.GetBytes(text), compatible, compose, output);
        return Encoding.UTF8.GetString(output.Written);
    }
}
