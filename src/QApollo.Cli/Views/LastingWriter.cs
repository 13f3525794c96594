using System.Text;

namespace QApollo.Cli.Views;

/// <summary>
/// A terminal that may go away (a closed window, a lost connection): from then on nothing is shown, and the work goes on to
/// its next safe point. A file or a pipe that fails is told, as text would be missing from it.
/// </summary>
/// <param name="onFailure">Told once when a file or pipe fails, and the work goes on without it; null: the failure ends the work.</param>
internal sealed class LastingWriter(TextWriter output, bool isTerminal, Action<IOException>? onFailure = null) : TextWriter
{
    private bool _hasFailed;

    public override Encoding Encoding => output.Encoding;

    public override void Write(char value) => Try(() => output.Write(value));

    public override void Write(char[] buffer, int index, int count) => Try(() => output.Write(buffer, index, count));

    public override void Write(string? value) => Try(() => output.Write(value));

    public override void WriteLine(string? value) => Try(() => output.Write(value + NewLine));

    public override void Flush() => Try(output.Flush);

    private void Try(Action write)
    {
        try
        {
            write();
        }
        catch (IOException) when (isTerminal || (_hasFailed && onFailure is not null))
        {
            // Nobody looks any more.
        }
        catch (IOException exception) when (onFailure is not null)
        {
            _hasFailed = true;
            onFailure(exception);
        }
    }
}
