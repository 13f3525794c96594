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

    /// <summary>To the last step.</summary>
    public TimeSpan TimeLeft(int step) => TimeSpan.FromSeconds(
        Math.Ceiling(Stopwatch.GetElapsedTime(_start).TotalSeconds / Math.Max(1, _steps) * Math.Max(0, maxSteps - step)));

    /// <summary>Hours, minutes and seconds to the last step.</summary>
    public string Left(int step) => Format(TimeLeft(step));

    /// <summary>"1:05", "2:00:07", "3.4 days".</summary>
    public static string Format(TimeSpan time) => time.TotalDays >= 1
        ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalDays:F1} days")
        : time.ToString(time.TotalHours >= 1 ? @"h\:mm\:ss" : @"m\:ss", CultureInfo.InvariantCulture);
}
