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
    private readonly ProgressLine _line = new(output);

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

    public void Dispose() => _line.Dispose();

    private void Write(string line)
    {
        if (interactive)
        {
            _line.Write(line);
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
