using System.Text;
using QApollo.Cli.Views;
using Xunit;

namespace QApollo.Cli.Tests.Views;

public class StreamingTextTests
{
    private const string Text = "a ä € 😀 日本\n";

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    public void Pieces_that_end_inside_characters_join(int pieceBytes)
    {
        using var output = new StringWriter();
        var text = new StreamingText(output, isTerminal: true);
        foreach (byte[] piece in Encoding.UTF8.GetBytes(Text).Chunk(pieceBytes))
        {
            text.Append(piece);
            Assert.StartsWith(output.ToString(), Text, StringComparison.Ordinal);
        }

        text.Complete();
        Assert.Equal(Text, output.ToString());
    }

    [Fact]
    public void A_character_that_never_completes_and_bytes_that_are_none_are_replaced()
    {
        using var output = new StringWriter();
        var text = new StreamingText(output, isTerminal: false);
        text.Append([(byte)'x', 0xFF, (byte)'y', 0xE2, 0x82]);
        text.Complete();
        Assert.Equal("x\uFFFDy\uFFFD" + Environment.NewLine, output.ToString());
    }

    [Fact]
    public void Only_a_terminal_is_kept_from_control_characters()
    {
        Assert.Equal("a\uFFFD[2Jb\tc\n", Written("a\u001b[2Jb\tc\n", isTerminal: true));
        Assert.Equal("a\u001b[2Jb\tc\n", Written("a\u001b[2Jb\tc\n", isTerminal: false));
    }

    private static string Written(string text, bool isTerminal)
    {
        using var output = new StringWriter();
        var stream = new StreamingText(output, isTerminal);
        stream.Append(Encoding.UTF8.GetBytes(text));
        stream.Complete();
        return output.ToString();
    }
}
