using System.Text;
using Spectre.Console;

namespace QApollo.Cli.Views;

/// <summary>
/// The terminal's second screen, which has no scrollback and is not wrapped anew when the window changes: every frame is placed
/// line by line, so that frames of another size, and what was typed in between, leave nothing behind.
/// </summary>
internal sealed class AlternateScreen(IAnsiConsole console)
{
    // Lines are not wrapped there: a window that has just become narrower cuts them until the next frame.
    private const string EnterText = "\u001b[?1049h\u001b[?7l\u001b[?25l";
    private const string LeaveText = "\u001b[?7h\u001b[?25h\u001b[?1049l";
    private const string ClearToLineEnd = "\u001b[K";
    private const string ClearToScreenEnd = "\u001b[J";
    private const string ClearScreen = "\u001b[2J";

    private readonly Lock _lock = new();
    private (int Width, int Height) _size;
    private bool _isShown;
    private bool _isSuspended;
    private bool _isClosed;

    /// <summary>Shows these lines and nothing else.</summary>
    public void Draw(IReadOnlyList<ScreenLine> lines)
    {
        lock (_lock)
        {
            if (_isSuspended || _isClosed)
            {
                return;
            }

            var frame = new StringBuilder(_isShown ? string.Empty : EnterText);
            _isShown = true;

            // Some terminals keep what a narrower window hides, and put it into the scrollback at the end.
            (int, int) size = (console.Profile.Width, console.Profile.Height);
            frame.Append(size == _size ? string.Empty : ClearScreen);
            _size = size;
            for (int i = 0; i < lines.Count; i++)
            {
                frame.Append(System.Globalization.CultureInfo.InvariantCulture, $"\u001b[{i + 1};1H{Styled(lines[i])}{ClearToLineEnd}");
            }

            Write(frame.Append(ClearToScreenEnd).ToString());
        }
    }

    /// <summary>Back to the first screen while the process sleeps.</summary>
    public void Suspend()
    {
        lock (_lock)
        {
            _isSuspended = true;
            Leave();
        }
    }

    public void Resume()
    {
        lock (_lock)
        {
            _isSuspended = false;
        }
    }

    /// <summary>Back to the first screen for good.</summary>
    /// <param name="last">Printed there, to stay.</param>
    public void Close(IReadOnlyList<ScreenLine> last)
    {
        lock (_lock)
        {
            if (!_isClosed)
            {
                _isClosed = true;
                Leave();
                Write(string.Concat(last.Select(line => Styled(line) + Environment.NewLine)));
            }
        }
    }

    private void Leave()
    {
        if (_isShown)
        {
            _isShown = false;
            Write(LeaveText);
        }
    }

    private string Styled(ScreenLine line)
    {
        string code = line.Style switch
        {
            _ when console.Profile.Capabilities.ColorSystem == ColorSystem.NoColors => string.Empty,
            LineStyle.Strong => "\u001b[1m",
            LineStyle.Quiet => "\u001b[90m",
            LineStyle.Alarm => "\u001b[33m",
            _ => string.Empty,
        };
        return code.Length == 0 ? line.Text : $"{code}{line.Text}\u001b[0m";
    }

    private void Write(string text)
    {
        console.Profile.Out.Writer.Write(text);
        console.Profile.Out.Writer.Flush();
    }
}
