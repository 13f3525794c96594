using System.Globalization;

namespace QApollo.Reports;

/// <summary>A <see cref="RankScaling"/> for people.</summary>
public static class RankScalingText
{
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
