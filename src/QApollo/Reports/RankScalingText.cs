using System.Globalization;

namespace QApollo.Reports;

/// <summary>A <see cref="RankScaling"/> for people.</summary>
public static class RankScalingText
{
    public const string Title = "Between the ranks";

    public const string EfficiencyTitle = "Efficiency: share of the time that cards compute";

    /// <summary>What was measured by others, beside what is predicted here.</summary>
    public const string Paper =
        "The paper (arXiv 2412.05270) reports for LLaMA-7B on 8 x A100 80 GB, 512 sequences of 256 tokens per update: 3 times AdamW's throughput, by micro-batches of 16 sequences instead of 4. That row: --model 7b --batch-size 16 --seq-len 256 --grad-accum 4 --ranks 8 --link 300GB/s.";

    public static string Note(RankScaling scaling) => string.Create(
        CultureInfo.InvariantCulture,
        $"Over a link of {scaling.LinkBytesPerSecond / 1e9:0.###} GB/s. Computation takes what is predicted of the kernels, the speed of light where nothing is; the exchange hides behind as much of the backward pass as its order allows.");

    public static IReadOnlyList<string> CostHeader { get; } = ["ranks", "bytes per update", "seconds on the wire"];

    public static IEnumerable<string[]> CostRows(RankScaling scaling) => scaling.Shown.Select(scaling.Cost).Select(cost => new[]
    {
        cost.Ranks.ToString(CultureInfo.InvariantCulture),
        cost.BytesPerUpdate.ToString("N0", CultureInfo.InvariantCulture),
        cost.WireSeconds.ToString("F3", CultureInfo.InvariantCulture),
    });

    public static IReadOnlyList<string> EfficiencyHeader(RankScaling scaling) =>
        ["card", "update alone", .. scaling.Shown.Select(ranks => ranks.ToString(CultureInfo.InvariantCulture))];

    /// <summary>The cards that hold the plan.</summary>
    public static IEnumerable<string[]> EfficiencyRows(MemoryReport report, RankScaling scaling) =>
        report.SpeedBounds.Where(bound => bound.Fits).Select(bound => (string[])
        [
            bound.Card.Title,
            scaling.StepSeconds(bound).ToString("F3", CultureInfo.InvariantCulture) + " s",
            .. scaling.Shown.Select(ranks => (100 * scaling.Efficiency(bound, ranks)).ToString("F0", CultureInfo.InvariantCulture) + " %"),
        ]);
}
