using System.Diagnostics;
using System.Globalization;

namespace QApollo.Cli.Views;

/// <summary>How much of some work is done, on one line that is written over; nothing where the output is no terminal.</summary>
internal sealed class CountView(TextWriter output, string verb, long total, bool interactive) : IProgress<long>, IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(0.2);

    private readonly long _start = Stopwatch.GetTimestamp();
    private long _last = Stopwatch.GetTimestamp();
    private int _width;

    public void Report(long value)
    {
        if (!interactive || Stopwatch.GetElapsedTime(_last) < Interval)
        {
            return;
        }

        _last = Stopwatch.GetTimestamp();
        TimeSpan left = Stopwatch.GetElapsedTime(_start) * ((double)(total - value) / Math.Max(1, value));
        string line = string.Create(CultureInfo.InvariantCulture, $"{verb} {(double)value / total,4:P0}, {left:h\\:mm\\:ss} left");
        _width = Math.Max(_width, line.Length);
        output.Write("\r" + line.PadRight(_width));
    }

    /// <summary>Clears the line.</summary>
    public void Dispose()
    {
        if (_width > 0)
        {
            output.Write("\r" + new string(' ', _width) + "\r");
        }
    }
}
