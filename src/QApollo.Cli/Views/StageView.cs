using System.Globalization;
using QApollo.Files;

namespace QApollo.Cli.Views;

/// <summary>
/// What takes long, and how far it is: one line that is written over on a terminal, a line now and then in a pipe. What is over at once
/// leaves no trace.
/// </summary>
/// <param name="time">The system's, if null.</param>
internal sealed class StageView(TextWriter output, bool interactive, TimeProvider? time = null) : IProgress<StageProgress>, IDisposable
{
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(0.2);

    private readonly ProgressLine _line = new(output);
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private string _stage = string.Empty;
    private long _start;
    private long _last;

    /// <summary>On standard error: standard output belongs to results.</summary>
    public static StageView OnError() => new(Terminal.Error, !Console.IsErrorRedirected);

    public void Report(StageProgress value)
    {
        if (value.Total > 0 && value.Done >= value.Total)
        {
            // Done: the line is free for whoever writes next.
            _stage = string.Empty;
            _line.Clear();
            return;
        }

        if (value.Stage != _stage)
        {
            _stage = value.Stage;
            _start = _last = _time.GetTimestamp();
            if (!interactive)
            {
                return;
            }
        }
        else if (_time.GetElapsedTime(_last) < (interactive ? LineInterval : PlainInterval))
        {
            return;
        }

        _last = _time.GetTimestamp();
        string line = value.Stage + (value.Total > 0 ? Share(value, _time.GetElapsedTime(_start)) : string.Empty);
        if (interactive)
        {
            _line.Write(line);
        }
        else
        {
            output.WriteLine(line);
        }
    }

    /// <summary>A line that stays.</summary>
    public void Say(string line)
    {
        _line.Clear();
        output.WriteLine(line);
    }

    /// <summary>Clears the line.</summary>
    public void Dispose() => _line.Dispose();

    private static string Share(StageProgress value, TimeSpan elapsed)
    {
        double share = (double)value.Done / value.Total;
        string left = value.Done > 0 ? string.Create(CultureInfo.InvariantCulture, $", {elapsed * ((1 - share) / share):h\\:mm\\:ss} left") : string.Empty;
        return string.Create(CultureInfo.InvariantCulture, $" {share,4:P0}{left}");
    }
}
