using System.Diagnostics;

namespace QApollo.Benchmarks;

/// <summary>Timing by repetition.</summary>
internal static class Stopwatches
{
    /// <summary>Count processor time instead of elapsed time: for one thread on a machine that others use too.</summary>
    public static bool ProcessorTime { get; set; }

    /// <summary>Seconds of one call, after a warm-up: median and best of at least 7 calls in at least half a second.</summary>
    public static (double Median, double Best) Measure(Action action)
    {
        var total = Stopwatch.StartNew();
        do
        {
            action();
        }
        while (total.Elapsed.TotalSeconds < 0.3);

        var seconds = new List<double>();
        total.Restart();
        while (seconds.Count < 7 || total.Elapsed.TotalSeconds < 0.5)
        {
            double start = Now();
            action();
            seconds.Add(Now() - start);
        }

        seconds.Sort();
        return (seconds[seconds.Count / 2], seconds[0]);
    }

    private static double Now() => ProcessorTime
        ? Environment.CpuUsage.TotalTime.TotalSeconds
        : Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency;
}
