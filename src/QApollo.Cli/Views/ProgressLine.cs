namespace QApollo.Cli.Views;

/// <summary>A line on a terminal that is written over and over. It is cut where the terminal is narrower: a line that wraps could not be written over.</summary>
/// <param name="columns">Of the terminal, now.</param>
internal sealed class ProgressLine(TextWriter output, Func<int> columns) : IDisposable
{
    private int _written;

    public ProgressLine(TextWriter output)
        : this(output, () => Terminal.Ansi.Profile.Width)
    {
    }

    public void Write(string line)
    {
        // The last column stays free: some terminals break the line when it is written.
        int room = Math.Max(1, columns() - 1);
        string shown = line.Length > room ? line[..room] : line;
        output.Write("\r" + shown.PadRight(Math.Min(_written, room)));
        _written = shown.Length;
    }

    public void Dispose() => Clear();

    public void Clear()
    {
        if (_written > 0)
        {
            Write(string.Empty);
            output.Write("\r");
        }
    }
}
