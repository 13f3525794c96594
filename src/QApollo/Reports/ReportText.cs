using System.Globalization;
using QApollo.Memory;
using QApollo.Training.Planning;

namespace QApollo.Reports;

/// <summary>The words and rows that the terminal, the page and Markdown share.</summary>
public static class ReportText
{
    private const int ShownTensors = 12;

    /// <summary>Of tokens per second: beyond, it is the work between kernels that limits a tiny model, of which the bound knows nothing.</summary>
    private const double MostTold = 1_000_000;

    /// <summary>Smaller shares of a predicted step are not told.</summary>
    private const double LeastCause = 0.1;

    private const double FewestDays = 0.01;

    /// <summary>Of a step's time: less would show as 0.0 %.</summary>
    internal const double LeastShare = 0.0005;

    public const string SpeedOfLightNote =
        "What the cards give a program of their memory, and what they could do at the very best: the products that training cannot avoid at the peak of dense BF16 with F32 sums, "
        + "and the least memory traffic of a step at the peak bandwidth. Recomputed layers are not counted as work. The prediction is for the shipped kernels, from what they were counted to do; no card has been asked yet (docs/predictions.md).";

    public static IReadOnlyList<string> SpeedHeader { get; } = ["card", "gives", "fits", "tokens/s at most", "days per 1e9 tokens", "bound by", "predicted tokens/s", "held up by"];

    public const string LinkNote =
        "What goes over a card's link in one update, on cards that the plan fits, with link, arithmetic and memory at their peaks: the copies run beside the computation, which waits where it is the shorter. "
        + "Where it waits for little else, more tokens per update hide the copies of the layers wholly.";

    public static IReadOnlyList<string> LinkHeader { get; } = ["card", "link", "over it", "copies, s", "computation, s", "waits, s", "hides from tokens"];

    public static IReadOnlyList<string> AlternativeHeader { get; } = ["choice", "device", "host", "costs", ""];

    /// <summary>"6,738,415,616 parameters; 1 x 1024 tokens x 1 micro-batch; device cuda".</summary>
    public static string Subtitle(MemoryReport report) => string.Create(
        CultureInfo.InvariantCulture,
        $"{report.Parameters:N0} parameters; {report.Shape.GradAccum} micro-batch{(report.Shape.GradAccum == 1 ? string.Empty : "es")} of {report.Shape.BatchSize} x {report.Shape.SequenceLength} tokens per update; device {report.DeviceName}");

    /// <summary>What the budget cost; and that no card gives a program all of its memory, where the budget is just a card's size.</summary>
    public static string GivenUp(MemoryReport report) => Cards.All.FirstOrDefault(card => card.MemoryBytes == report.Budget.DeviceBytes) is { } card && report.Device.TotalBytes > card.UsableBytes
        ? $"{Concessions(report)} A card of {ByteSize.Format(card.MemoryBytes)} gives a program {ByteSize.Format(card.UsableBytes)}: this plan does not fit on one; name the card (--budget {card.Name})."
        : Concessions(report);

    private static string Concessions(MemoryReport report) => (report.GivenUp.Count, report.Budget.DeviceBytes) switch
    {
        (0, MemoryBudget.Unlimited) => "No budget was given; nothing is given up.",
        (0, _) => "The budget is enough without giving anything up.",
        _ => "Given up for the budget: " + string.Join("; ", report.GivenUp.Distinct().Select(concession => $"{concession.Name} ({concession.Cost})")) + ".",
    };

    public static string[] AlternativeRow(Alternative alternative) =>
    [
        alternative.IsTakenBack ? "without " + alternative.Concession.Name : alternative.Concession.Name,
        Change(alternative.DeviceBytes),
        Change(alternative.HostBytes),
        alternative.IsTakenBack ? "-" : alternative.Concession.Cost,
        alternative.IsPinned ? "decided by option" : string.Empty,
    ];

    public static string[] SpeedRow(SpeedBound bound) =>
    [
        bound.Card.Title,
        ByteSize.Format(bound.Card.UsableBytes),
        bound.Fits ? "yes" : "no",
        TokensPerSecond(bound.TokensPerSecond),
        bound.DaysPerBillionTokens < FewestDays ? string.Create(CultureInfo.InvariantCulture, $"under {FewestDays}") : bound.DaysPerBillionTokens.ToString(bound.DaysPerBillionTokens < 10 ? "0.00" : "0.0", CultureInfo.InvariantCulture),
        bound.IsBandwidthBound ? "memory bandwidth" : "arithmetic",
        bound.Prediction is { } prediction ? TokensPerSecond(prediction.TokensPerSecond) : "-",
        bound.Prediction is null ? "-" : string.Join(", ", bound.Prediction.Shares.Where(share => share.Share >= LeastCause).Select(share => string.Create(CultureInfo.InvariantCulture, $"{NameOf(share.Bottleneck)} {share.Share * 100:F0} %"))),
    ];

    /// <summary>What people read for it.</summary>
    public static string NameOf(Bottleneck bottleneck) => bottleneck switch
    {
        Bottleneck.TensorCores => "tensor cores",
        Bottleneck.InstructionIssue => "issue slots",
        Bottleneck.SharedMemory => "shared memory",
        Bottleneck.Cache => "cache",
        _ => "memory",
    };

    private static string TokensPerSecond(double value) =>
        value > MostTold ? string.Create(CultureInfo.InvariantCulture, $"over {MostTold:N0}") : value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>"layers on disk: 6.17 GiB in a file; an update reads 12.0 GiB and writes 6.17 GiB, 6.5 s at 3 GB/s".</summary>
    public static string DiskLine(DiskUse disk) => string.Create(
        CultureInfo.InvariantCulture,
        $"layers on disk: {ByteSize.Format(disk.FileBytes)} in a file; an update reads {ByteSize.Format(disk.BytesRead)} and writes {ByteSize.Format(disk.BytesWritten)}: "
        + $"{Seconds(disk.Seconds)} s at {DiskUse.NominalBytesPerSecond / 1e9:0} GB/s, which it takes where its computation is shorter");

    public static string[] LinkRow(LinkUse use) =>
    [
        use.Card.Title,
        use.Card.Link.ToString(),
        ByteSize.Format(use.Bytes),
        Seconds(use.LinkSeconds),
        Seconds(use.ComputeSeconds),
        Seconds(use.WaitSeconds),
        use.HidesFromTokens switch
        {
            null => "never",
            0 => "-",
            { } tokens => tokens.ToString("N0", CultureInfo.InvariantCulture),
        },
    ];

    /// <summary>Name, category and bytes of what lives at the peak; alike tensors (boundary.0, boundary.1, ...) in one row.</summary>
    public static IReadOnlyList<string[]> PeakRows(PeakMoment peak)
    {
        (string Name, string Category, int Count, long Bytes)[] groups =
        [
            .. peak.Transient
                .GroupBy(tensor => (Name: tensor.Name.TrimEnd("0123456789".ToCharArray()), tensor.Category))
                .Select(group => (group.Count() == 1 ? group.First().Name : $"{group.Key.Name}* ({group.Count()})", group.Key.Category, group.Count(), group.Sum(tensor => tensor.Bytes)))
                .OrderByDescending(group => group.Item4),
        ];
        var rows = new List<string[]> { new[] { "resident tensors", "weights, optimizer state, inputs, workspace", ByteSize.Format(peak.Resident) } };
        rows.AddRange(groups.Take(ShownTensors).Select(group => new[] { group.Name, group.Category, ByteSize.Format(group.Bytes) }));
        if (groups.Length > ShownTensors)
        {
            rows.Add([$"{groups.Length - ShownTensors} smaller ones", string.Empty, ByteSize.Format(groups.Skip(ShownTensors).Sum(group => group.Bytes))]);
        }

        return rows;
    }

    /// <summary>The name of a row of all that is below <see cref="LeastShare"/>.</summary>
    internal static string Others(int count) => $"{count} other{(count == 1 ? string.Empty : "s")}, below 0.05 % each";

    private static string Seconds(double seconds) => seconds.ToString(seconds < 10 ? "0.00" : "0.0", CultureInfo.InvariantCulture);

    private static string Change(long bytes) => bytes switch
    {
        0 => "-",
        > 0 => "+" + ByteSize.Format(bytes),
        _ => ByteSize.Format(bytes),
    };
}
