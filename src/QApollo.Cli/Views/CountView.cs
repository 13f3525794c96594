using System.Diagnostics;
using System.Globalization;

namespace QApollo.Cli.Views;

/// <summary>How much of some work is done, on one line that is written over; nothing where the output is no terminal.</summary>
internal sealed class CountView(TextWriter output, string verb, long total, bool interactive) : IProgress<long>, IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(0.2);

    private readonly long _start = Stopwatch.GetTimestamp();
    private long _last = Stopwatch.GetTimestamp();
    private readonly ProgressLine _line = new(output);

    public void Report(long value)
    {
        if (!interactive || Stopwatch.GetElapsedTime(_last) < Interval)
        {
            return;
        }

        _last = Stopwatch.GetTimestamp();
        TimeSpan left = Stopwatch.GetElapsedTime(_start) * ((double)(total - value) / Math.Max(1, value));
        _line.Write(string.Create(CultureInfo.InvariantCulture, $"{verb} {(double)value / total,4:P0}, {left:h\\:mm\\:ss} left"));
    }

    public void Dispose() => _line.Dispose();
}
