using QApollo.Cli.Views;
using Xunit;

namespace QApollo.Cli.Tests.Views;

public class CleanWriterTests
{
    [Theory]
    [InlineData("plain äöü 😀\ttab\nline\r\n", "plain äöü 😀\ttab\nline\r\n")]
    [InlineData("\u001b[2J", "\uFFFD[2J")]
    [InlineData("\u001b]0;title\u0007", "\uFFFD]0;title\uFFFD")]
    [InlineData("\u009b31m", "\uFFFD31m")]
    [InlineData("over\rwritten", "over\uFFFDwritten")]
    [InlineData("\b\b\u0000\u007f", "\uFFFD\uFFFD\uFFFD\uFFFD")]
    [InlineData("exe.\u202egnp", "exe.\uFFFDgnp")]
    [InlineData("\u2066a\u2069", "\uFFFDa\uFFFD")]
    public void What_would_steer_a_terminal_is_replaced(string text, string expected)
    {
        foreach (Action<TextWriter> write in (Action<TextWriter>[])[writer => writer.Write(text), writer => writer.Write(text.ToCharArray()), writer => writer.Write(text.AsSpan()), writer => writer.Write("{0}", text)])
        {
            using var output = new StringWriter();
            using var clean = new CleanWriter(output);
            write(clean);
            Assert.Equal(expected, output.ToString());
        }

        using var lines = new StringWriter();
        using var cleanLines = new CleanWriter(lines);
        cleanLines.WriteLine(text);
        cleanLines.WriteLine();
        Assert.Equal(expected + Environment.NewLine + Environment.NewLine, lines.ToString());
    }

    [Fact]
    public void A_terminal_that_goes_away_ends_nothing_and_a_full_disk_is_told()
    {
        using var gone = new LastingWriter(new FailingWriter(), isTerminal: true);
        gone.WriteLine("text");
        gone.Write('c');
        gone.Flush();
        using var full = new LastingWriter(new FailingWriter(), isTerminal: false);
        Assert.Throws<IOException>(() => full.WriteLine("text"));
        var told = new List<string>();
        using var lines = new LastingWriter(new FailingWriter(), isTerminal: false, exception => told.Add(exception.Message));
        lines.WriteLine("text");
        lines.WriteLine("more");
        Assert.Equal(["Input/output error"], told);
    }

    private sealed class FailingWriter : StringWriter
    {
        public override void Write(char value) => throw new IOException("Input/output error");

        public override void Write(string? value) => throw new IOException("Input/output error");

        public override void Flush() => throw new IOException("Input/output error");
    }
}
