using System.Text;

namespace QApollo.Cli.Views;

/// <summary>Passes text on without the characters that would steer a terminal.</summary>
internal sealed class CleanWriter(TextWriter output) : TextWriter
{
    public override Encoding Encoding => output.Encoding;

    public override void Write(char value) => Write(new ReadOnlySpan<char>(in value));

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override void Write(ReadOnlySpan<char> buffer) => output.Write(Printable.Clean(buffer.ToString()));

    public override void Write(string? value) => output.Write(value is null ? null : Printable.Clean(value));

    /// <summary>In one piece: lines of several threads do not mix.</summary>
    public override void WriteLine(string? value) => output.Write(value is null ? NewLine : Printable.Clean(value) + NewLine);

    public override void WriteLine() => output.Write(NewLine);

    public override void Flush() => output.Flush();
}
