using System.Text;

namespace QApollo.Cli.Views;

/// <summary>
/// Writes UTF-8 that comes in pieces. A character whose bytes are not all there yet waits for the next piece; bytes that
/// are no UTF-8 become U+FFFD. A terminal gets no control characters: generated text must not steer it.
/// </summary>
internal sealed class StreamingText(TextWriter output, bool isTerminal)
{
    private readonly Decoder _decoder = new UTF8Encoding(false).GetDecoder();
    private bool _atLineStart = true;

    public void Append(ReadOnlySpan<byte> utf8) => Write(utf8, flush: false);

    /// <summary>Ends the text, and its last line.</summary>
    public void Complete()
    {
        Write([], flush: true);
        if (!_atLineStart)
        {
            output.WriteLine();
        }

        output.Flush();
    }

    private void Write(ReadOnlySpan<byte> utf8, bool flush)
    {
        // At most one character a byte, and one for what waited.
        var characters = new char[utf8.Length + 2];
        int count = _decoder.GetChars(utf8, characters, flush);
        if (count == 0)
        {
            return;
        }

        if (isTerminal)
        {
            Printable.Clean(characters.AsSpan(0, count));
        }

        _atLineStart = characters[count - 1] == '\n';
        output.Write(characters, 0, count);
        output.Flush();
    }
}
