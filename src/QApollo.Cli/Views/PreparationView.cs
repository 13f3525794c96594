using System.Diagnostics;
using System.Globalization;
using QApollo.Data;

namespace QApollo.Cli.Views;

/// <summary>How far the tokenization is: one line that is written over on a terminal, a line now and then in a pipe.</summary>
internal sealed class PreparationView(TextWriter output, bool interactive) : IProgress<PreparationProgress>, IDisposable
{
    private readonly Lock _lock = new();
    private readonly TimeSpan _interval = interactive ? TimeSpan.FromSeconds(0.2) : TimeSpan.FromSeconds(5);
    private long _last = Stopwatch.GetTimestamp();
    private int _width;

    public void Report(PreparationProgress value)
    {
        lock (_lock)
        {
            if (Stopwatch.GetElapsedTime(_last) < _interval)
            {
                return;
            }

            _last = Stopwatch.GetTimestamp();
            double share = value.BytesTotal == 0 ? 1 : (double)value.BytesDone / value.BytesTotal;
            string left = value.Remaining is { } remaining ? $", {remaining:h\\:mm\\:ss} left" : string.Empty;
            string tokens = value.Phase == PreparationPhase.Tokenizing
                ? string.Create(CultureInfo.InvariantCulture, $", {value.Tokens:N0} tokens")
                : string.Empty;
            Write(string.Create(
                CultureInfo.InvariantCulture,
                $"{Verb(value.Phase)} {share,4:P0}  {value.MegabytesPerSecond:F1} MB/s{tokens}{left}"));
        }
    }

    /// <summary>Clears the line.</summary>
    public void Dispose()
    {
        if (interactive && _width > 0)
        {
            output.Write("\r" + new string(' ', _width) + "\r");
        }
    }

    private void Write(string line)
    {
        if (interactive)
        {
            output.Write("\r" + line.PadRight(_width));
            _width = Math.Max(_width, line.Length);
        }
        else
        {
            output.WriteLine(line);
        }
    }

    private static string Verb(PreparationPhase phase) => phase switch
    {
        PreparationPhase.Hashing => "looking at the text",
        PreparationPhase.Tokenizing => "tokenizing",
        _ => "checking the tokens",
    };
}
