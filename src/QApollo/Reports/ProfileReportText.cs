using System.Globalization;
using QApollo.Memory;

namespace QApollo.Reports;

/// <summary>The rows of a <see cref="ProfileReport"/> that the terminal, the page and Markdown share.</summary>
public static class ProfileReportText
{
    public static IReadOnlyList<string> MemoryHeader { get; } = ["device memory", "planned", "measured", "difference"];

    public static IReadOnlyList<string> OperationHeader { get; } = ["operation", "times", "ms", "share", "GFLOP/s"];

    public static IEnumerable<string[]> MemoryRows(ProfileReport report) =>
        report.Device.Append(report.Arena).Concat(report.PinnedHost.Select(category => category with { Label = "pinned host: " + category.Label })).Select(category => new[]
        {
            category.Label, category.Planned.ToString("N0", CultureInfo.InvariantCulture), category.Measured.ToString("N0", CultureInfo.InvariantCulture),
            (category.Measured - category.Planned).ToString("N0", CultureInfo.InvariantCulture),
        });

    public static IReadOnlyList<string> HealthHeader { get; } =
        ["layer", "codes changed", "updates lost", "noise / update", "groups regridded", "matrices limited"];

    /// <summary>None where no matrix is quantized.</summary>
    public static IEnumerable<string[]> HealthRows(ProfileReport report) => report.Health.All(layer => !layer.HasCodes) ? [] : report.Health.Select((layer, index) => new[]
    {
        index.ToString(CultureInfo.InvariantCulture), Percent(layer.CodesChanged), Percent(layer.UpdatesLost),
        layer.NoiseRatio.ToString("0.0000", CultureInfo.InvariantCulture), Percent(layer.GroupsRegridded), Percent(layer.Limited),
    });

    /// <summary>The longest first; those that would show as 0.0 % in one row at the end.</summary>
    public static IEnumerable<string[]> OperationRows(ProfileReport report)
    {
        double total = report.Operations.Sum(operation => operation.Seconds);
        ILookup<bool, OperationTime> isShown = report.Operations.ToLookup(operation => operation.Seconds / total >= ReportText.LeastShare);
        OperationTime[] others = [.. isShown[false]];
        IEnumerable<string[]> rows = isShown[true].Select(operation => OperationRow(report, operation));
        return others.Length == 0
            ? rows
            : rows.Append(OperationRow(report, new OperationTime(ReportText.Others(others.Length), others.Sum(other => other.Count), others.Sum(other => other.Seconds), 0)));
    }

    /// <summary>Its columns are those of <see cref="OperationHeader"/>.</summary>
    public static string[] OperationRow(ProfileReport report, OperationTime operation) =>
    [
        operation.Operation,
        operation.Count.ToString(CultureInfo.InvariantCulture),
        (operation.Seconds * 1e3).ToString("N2", CultureInfo.InvariantCulture),
        (100 * operation.Seconds / report.Operations.Sum(other => other.Seconds)).ToString("0.0", CultureInfo.InvariantCulture) + " %",
        operation.Flops > 0 ? (operation.Flops / operation.Seconds / 1e9).ToString("N0", CultureInfo.InvariantCulture) : string.Empty,
    ];

    private static string Percent(double share) => (100 * share).ToString("0.00", CultureInfo.InvariantCulture) + " %";

    /// <summary>Label and value of every single figure.</summary>
    public static IEnumerable<(string Label, string Value)> Figures(ProfileReport report)
    {
        yield return ("tokens/s", report.TokensPerSecond.ToString("N0", CultureInfo.InvariantCulture));
        yield return ("of the measured matmul peak", string.Create(CultureInfo.InvariantCulture, $"{100 * report.ShareOfPeak:0.0} %"));
        yield return ("matmul peak", string.Create(CultureInfo.InvariantCulture, $"{report.MatmulPeak / 1e9:N0} GFLOP/s"));
        yield return ("necessary work per token", string.Create(CultureInfo.InvariantCulture, $"{report.FlopsPerToken / 1e6:N1} MFLOP"));
        yield return ("managed allocations per step", string.Create(CultureInfo.InvariantCulture, $"{report.ManagedBytesPerStep:N0} bytes"));
        if (report.TransferWaitSeconds is { } wait)
        {
            double share = wait / report.Operations.Sum(operation => operation.Seconds);
            yield return ("waits for transfers", string.Create(CultureInfo.InvariantCulture, $"{wait * 1e3:N2} ms, {100 * share:0.0} % of a step"));
        }

        yield return ("process memory", ByteSize.Format(report.Process.Bytes));
        yield return ("process memory, highest", ByteSize.Format(report.Process.PeakBytes));
        if (report.Driver is { } driver)
        {
            yield return ("driver: in use before the run", ByteSize.Format(driver.BeforeBytes));
            yield return ("driver: taken by the run", ByteSize.Format(driver.ArenaBytes));
        }
    }
}
