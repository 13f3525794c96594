using System.Globalization;
using QApollo.Reports;

namespace QApollo.Benchmarks;

/// <summary>The words and rows of a <see cref="BenchmarkReport"/>.</summary>
public static class BenchmarkText
{
    /// <summary>Shorter operations are mostly the timing itself.</summary>
    private const double ShortestTimings = 4;

    public static IReadOnlyList<string> OperationHeader { get; } = ["operation", "shape", "times", "ms each", "predicted", "share", "rate", "of limit", ""];

    public static IReadOnlyList<string> KindHeader { get; } = ["kind", "ms per step", "share"];

    /// <param name="filter">Rows whose operation or shape contain it, case ignored; "" for all.</param>
    public static IEnumerable<BenchmarkRow> Filter(BenchmarkReport report, string filter) => report.Rows.Where(row =>
        $"{row.Work.Operation} {row.Work.Detail}".Contains(filter, StringComparison.OrdinalIgnoreCase));

    /// <summary>The rows of a table: all that the filter asks for; without one, those that would show as 0.0 % are one row at the end.</summary>
    public static IEnumerable<string[]> OperationRows(BenchmarkReport report, string filter)
    {
        if (filter.Length > 0)
        {
            return Filter(report, filter).Select(row => OperationRow(report, row));
        }

        BenchmarkRow[] others = [.. report.Rows.Where(row => row.Share < ReportText.LeastShare)];
        IEnumerable<string[]> rows = report.Rows.Except(others).Select(row => OperationRow(report, row));
        return others.Length == 0
            ? rows
            : rows.Append(
            [
                ReportText.Others(others.Length), string.Empty, others.Sum(row => row.CountPerStep).ToString("0.##", CultureInfo.InvariantCulture), string.Empty, string.Empty,
                Percent(others.Sum(row => row.Share)), string.Empty, string.Empty, string.Empty,
            ]);
    }

    public static string[] OperationRow(BenchmarkReport report, BenchmarkRow row) =>
    [
        row.Work.Operation,
        row.Work.Detail,
        row.CountPerStep.ToString("0.##", CultureInfo.InvariantCulture),
        (row.MedianSeconds * 1e3).ToString("N3", CultureInfo.InvariantCulture),
        report.PredictedSeconds(row) is { } predicted ? (predicted * 1e3).ToString("N3", CultureInfo.InvariantCulture) : "-",
        Percent(row.Share),
        HasRate(report, row) ? string.Create(CultureInfo.InvariantCulture, $"{row.Rate / 1e9:N1} {(row.IsArithmetic ? "GFLOP/s" : "GB/s")}") : string.Empty,
        HasRate(report, row) ? $"{Percent(report.ShareOfLimit(row))} of {(row.IsArithmetic ? "peak" : "copy")}" : string.Empty,
        Note(report, row),
    ];

    /// <summary>Whether the row's rate means anything: transfers run beside the operations, and what is too short is not measured.</summary>
    public static bool HasRate(BenchmarkReport report, BenchmarkRow row) =>
        row.Work.Kind != WorkKind.Transfer && row.MedianSeconds > ShortestTimings * report.TimingSeconds;

    /// <summary>What must be known beside a row's rate; empty for most.</summary>
    public static string Note(BenchmarkReport report, BenchmarkRow row) => row switch
    {
        { Work.Kind: WorkKind.Transfer } => string.Empty,
        _ when !HasRate(report, row) => "too short to time",
        _ when report.ShareOfLimit(row) <= 1 => string.Empty,
        { IsArithmetic: true } => "above the measured peak: measure again on a calmer machine",
        _ => "in cache, or the copy was disturbed",
    };

    /// <summary>The step's time by what bounds it, the longest first.</summary>
    public static IEnumerable<string[]> KindRows(BenchmarkReport report) => report.Rows
        .GroupBy(row => KindName(row.Work))
        .OrderByDescending(group => group.Sum(row => row.SecondsPerStep))
        .Select(group => new[]
        {
            group.Key,
            (group.Sum(row => row.SecondsPerStep) * 1e3).ToString("N2", CultureInfo.InvariantCulture),
            Percent(group.Sum(row => row.Share)),
        });

    /// <summary>Label and value of every single figure.</summary>
    public static IEnumerable<(string Label, string Value)> Figures(BenchmarkReport report)
    {
        yield return ("device", report.Device);
        yield return ("matrix peak", string.Create(CultureInfo.InvariantCulture, $"{report.MatrixPeak / 1e9:N1} GFLOP/s, best of {report.PeakSource}; {report.MedianMatrixPeak / 1e9:N1} in the median"));
        yield return ("copy bandwidth", string.Create(CultureInfo.InvariantCulture, $"{report.CopyBandwidth / 1e9:N1} GB/s, read and written"));
        yield return ("timed", $"{report.Steps} steps, {(report.IsProcessorTime ? "processor time" : "elapsed time")}; medians");
        yield return ("operations of a step", string.Create(CultureInfo.InvariantCulture, $"{report.OperationSeconds * 1e3:N1} ms"));
        if (report.TransferWaitSeconds is { } wait)
        {
            yield return ("waits for transfers", string.Create(CultureInfo.InvariantCulture, $"{wait * 1e3:N2} ms, {Percent(wait / report.OperationSeconds)} of a step"));
        }

        foreach (ThreadSpeed speed in report.Speeds)
        {
            string threads = report.Speeds.Count > 1 ? $", {speed.Threads} thread{(speed.Threads == 1 ? string.Empty : "s")}" : string.Empty;
            string ratio = report.Speeds.Count > 1 && speed == report.Speeds[^1]
                ? string.Create(CultureInfo.InvariantCulture, $" ({speed.TokensPerSecond / report.Speeds[0].TokensPerSecond:0.00} times one thread)")
                : string.Empty;
            yield return ("tokens/s" + threads, speed.TokensPerSecond.ToString("N0", CultureInfo.InvariantCulture) + ratio);
        }
    }

    /// <summary>"20m: 1 micro-batch of 8 x 256 tokens".</summary>
    public static string Title(BenchmarkReport report) =>
        $"{report.Model}: {report.Shape.GradAccum} micro-batch{(report.Shape.GradAccum == 1 ? string.Empty : "es")} of {report.Shape.BatchSize} x {report.Shape.SequenceLength} tokens per update";

    private static string KindName(in OperationWork work) => work.Kind switch
    {
        WorkKind.Product => work.Operation,
        WorkKind.Attention => "attention",
        WorkKind.Update => "optimizer and update",
        WorkKind.Transfer => "transfers",
        _ => "element-wise and row-wise passes",
    };

    private static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{100 * share:0.0} %");
}
