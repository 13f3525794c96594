using System.Globalization;
using System.Text;
using Spectre.Console;

namespace QApollo.Cli.Tests.Views;

/// <summary>
/// A terminal as a test sees it: a first screen whose text runs on, and a second one of fixed cells. Understands what the live
/// view writes, and refuses everything else. Its size changes as a window's does.
/// </summary>
internal sealed class SimulatedTerminal : TextWriter, IAnsiConsoleOutput
{
    private readonly Lock _lock = new();
    private readonly StringBuilder _first = new();
    private readonly StringBuilder _sequence = new();
    private char[][] _second = [];
    private (int Row, int Column) _cursor;
    private int _frames;

    public SimulatedTerminal(int width, int height) => Resize(width, height);

    public override Encoding Encoding => Encoding.UTF8;

    public TextWriter Writer => this;

    public bool IsTerminal => true;

    public int Width { get; private set; }

    public int Height { get; private set; }

    public bool IsCursorShown { get; private set; } = true;

    public bool IsSecondShown { get; private set; }

    /// <summary>Whether the second screen holds text beyond its edges, of when it was larger.</summary>
    public bool HidesText { get; private set; }

    /// <summary>Times that the second screen was drawn anew.</summary>
    public int Frames
    {
        get
        {
            lock (_lock)
            {
                return _frames;
            }
        }
    }

    /// <summary>Text of the first screen, with what has scrolled away.</summary>
    public string First
    {
        get
        {
            lock (_lock)
            {
                return _first.ToString();
            }
        }
    }

    /// <summary>Rows of the second screen, without blanks at their ends.</summary>
    public string[] Second
    {
        get
        {
            lock (_lock)
            {
                return [.. _second.Select(row => new string(row).TrimEnd())];
            }
        }
    }

    public IAnsiConsole Console() => AnsiConsole.Create(new AnsiConsoleSettings
    {
        Ansi = AnsiSupport.Yes,
        ColorSystem = ColorSystemSupport.Standard,
        Interactive = InteractionSupport.Yes,
        Out = this,
    });

    /// <summary>Cells of the second screen that are still there keep what they show.</summary>
    public void Resize(int width, int height)
    {
        lock (_lock)
        {
            // What is hidden stays until the screen is cleared, as in tmux, where the first screen gets it in the end.
            HidesText |= _second.Any(row => row.Skip(width).Any(cell => cell != ' ')) || _second.Skip(height).Any(row => row.Any(cell => cell != ' '));
            (Width, Height) = (width, height);
            _second = [.. Enumerable.Range(0, height).Select(row => new string(_second.ElementAtOrDefault(row) ?? []).PadRight(width)[..width].ToCharArray())];
        }
    }

    /// <summary>What a user types is shown where the cursor stands.</summary>
    public void Echo(string text)
    {
        lock (_lock)
        {
            text.ToList().ForEach(Show);
        }
    }

    /// <summary>Until it has been drawn twice from now on: once may have begun before.</summary>
    public void WaitForFrames()
    {
        int wanted = Frames + 2;
        Assert(SpinWait.SpinUntil(() => Frames >= wanted, TimeSpan.FromSeconds(60)), "no frame was drawn");
    }

    public override void Write(char value)
    {
        lock (_lock)
        {
            if (_sequence.Length == 0 && value != '\u001b')
            {
                Show(value);
                return;
            }

            _sequence.Append(value);
            if (_sequence.Length > 2 && char.IsLetter(value))
            {
                Obey(_sequence.ToString()[2..]);
                _sequence.Clear();
            }
        }
    }

    /// <summary>Seen as a whole, as a frame is.</summary>
    public override void Write(string? value)
    {
        lock (_lock)
        {
            (value ?? string.Empty).ToList().ForEach(Write);
        }
    }

    public void SetEncoding(Encoding encoding)
    {
    }

    private static void Assert(bool condition, string message)
    {
        if (!condition)
        {
            throw new InvalidOperationException(message);
        }
    }

    private void Show(char value)
    {
        if (!IsSecondShown)
        {
            _first.Append(value);
            return;
        }

        Assert(!char.IsControl(value), "the second screen has no lines to end");

        // Lines are cut at the edge; wide characters are not simulated.
        if (_cursor.Row < Height && _cursor.Column < Width)
        {
            _second[_cursor.Row][_cursor.Column] = value;
        }

        _cursor.Column++;
    }

    private void Obey(string sequence)
    {
        switch (sequence)
        {
            case "?1049h" or "?1049l":
                IsSecondShown = sequence[^1] == 'h';
                _second = [.. _second.Select(row => new string(' ', row.Length).ToCharArray())];
                break;
            case "?25h" or "?25l":
                IsCursorShown = sequence[^1] == 'h';
                break;
            case "?7h" or "?7l":
                break;
            case "2J":
                _second = [.. _second.Select(row => new string(' ', row.Length).ToCharArray())];
                HidesText = false;
                break;
            case "K":
                ClearFrom(_cursor.Row, _cursor.Column);
                break;
            case "J":
                ClearFrom(_cursor.Row, _cursor.Column);
                for (int row = _cursor.Row + 1; row < Height; row++)
                {
                    ClearFrom(row, 0);
                }

                _frames++;
                break;
            default:
                if (sequence[^1] == 'H')
                {
                    Assert(IsSecondShown, "the cursor is moved on the first screen");
                    int[] place = [.. sequence[..^1].Split(';').Select(number => int.Parse(number, CultureInfo.InvariantCulture) - 1)];
                    _cursor = (place[0], place[1]);
                }
                else
                {
                    Assert(sequence[^1] == 'm', $"unknown sequence {sequence}");
                }

                break;
        }
    }

    private void ClearFrom(int row, int column)
    {
        for (; row < Height && column < Width; column++)
        {
            _second[row][column] = ' ';
        }
    }
}
