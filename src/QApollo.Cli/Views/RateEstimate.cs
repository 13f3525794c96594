using System.Diagnostics;
using System.Globalization;

namespace QApollo.Cli.Views;

/// <summary>How long the rest of a run will take, from the steps done since it started or resumed.</summary>
internal sealed class RateEstimate(int maxSteps)
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private long _lastReport = Stopwatch.GetTimestamp();
    private int _steps;

    public double SecondsSinceReport => Stopwatch.GetElapsedTime(_lastReport).TotalSeconds;

    public void Reported() => _lastReport = Stopwatch.GetTimestamp();

    /// <summary>A step is done; <paramref name="step"/> counts from the run's beginning.</summary>
    public void Add(int step) => _steps += step > 0 ? 1 : 0;

    /// <summary>Hours, minutes and seconds to the last step.</summary>
    public string Left(int step)
    {
        double seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds / Math.Max(1, _steps) * (maxSteps - step);
        TimeSpan left = TimeSpan.FromSeconds(Math.Ceiling(seconds));
        return left.TotalDays >= 1
            ? string.Create(CultureInfo.InvariantCulture, $"{left.TotalDays:F1} days")
            : left.ToString(left.TotalHours >= 1 ? @"h\:mm\:ss" : @"m\:ss", CultureInfo.InvariantCulture);
    }
}
