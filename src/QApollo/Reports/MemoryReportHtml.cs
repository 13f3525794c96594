using System.Globalization;
using QApollo.Memory;
using QApollo.Training.Planning;

namespace QApollo.Reports;

/// <summary>A <see cref="MemoryReport"/> as a self-contained page.</summary>
public static class MemoryReportHtml
{
    public static string ToHtml(MemoryReport report)
    {
        var page = new HtmlPage();
        page.Add($"<h1>Memory of {HtmlPage.Escape(report.Model)}</h1>");
        page.Add($"<p class=\"soft\">{HtmlPage.Escape(ReportText.Subtitle(report))}</p>");
        page.Tiles(Tiles(report));
        AddMemory(page, report);
        AddChoices(page, report);
        page.Heading("Speed of light");
        page.Paragraph(ReportText.SpeedOfLightNote);
        page.Table(
            ReportText.SpeedHeader, report.SpeedBounds.Select(bound => ReportText.SpeedRow(bound).Select(HtmlPage.Escape).ToArray()), 1, 3, 4, 6);
        if (report.Scaling is { } scaling)
        {
            AddRanks(page, report, scaling);
        }

        if (report.Disk is { } disk)
        {
            page.Paragraph(HtmlPage.Escape(ReportText.DiskLine(disk)));
        }

        if (report.Link.Count > 0)
        {
            page.Heading("Over the link in one update");
            page.Paragraph(ReportText.LinkNote);
            page.Table(ReportText.LinkHeader, report.Link.Select(use => ReportText.LinkRow(use).Select(HtmlPage.Escape).ToArray()), 2, 3, 4, 5, 6);
        }

        return page.ToString($"Memory of {report.Model}");
    }

    /// <summary>Breakdown, timeline and peak.</summary>
    internal static void AddMemory(HtmlPage page, MemoryReport report)
    {
        page.Heading("Device memory at the peak");
        page.Add(SvgChart.StackedBar([.. report.Device.Categories.Select((category, index) => (HtmlPage.Color(index), category.Label, category.Bytes))]));
        (CategoryBytes Category, int Index)[] used = [.. report.Device.Categories.Select((category, index) => (category, index)).Where(row => row.category.Bytes > 0)];
        page.Add(Legend(used.Select(row => (row.Index, row.Category.Label))));
        page.Table(["category", "bytes", "", "share"], used.Select(row => Row(row.Category, row.Index, report.Device.TotalBytes)), 1, 2, 3);

        page.Heading("One step");
        page.Paragraph(string.Create(
            CultureInfo.InvariantCulture,
            $"Bytes on top of what lives all the time, over the operations of one step. The peak, {report.Peak.Name} ({report.Peak.Phase}), has {ByteSize.Format(report.Peak.Transient.Sum(tensor => tensor.Bytes))} beside the {ByteSize.Format(report.Peak.Resident)} that stay:"));
        page.Add($"<div class=\"wide\"><div class=\"chart\">{SvgChart.Timeline(report.Timeline)}</div></div>");
        page.Add(Legend(SvgChart.Moving(report.Timeline).Select(category => ((int)category, MemoryReport.LabelOf(category)))));
        page.Table(
            ["lives at the peak", "for", "bytes"],
            ReportText.PeakRows(report.Peak).Select(row => row.Select(HtmlPage.Escape).ToArray()), 2);

        page.Heading("Host memory");
        page.Table(
            ["space", "category", "bytes"],
            [
                .. report.PinnedHost.Used.Select(category => SpaceRow("pinned", category)),
                .. report.Host.Used.Select(category => SpaceRow("ordinary", category)),
            ],
            2);
    }

    private static void AddRanks(HtmlPage page, MemoryReport report, RankScaling scaling)
    {
        page.Heading(RankScalingText.Title);
        page.Paragraph(RankScalingText.Note(scaling));
        page.Table(RankScalingText.CostHeader, RankScalingText.CostRows(scaling).Select(row => row.Select(HtmlPage.Escape).ToArray()), 0, 1, 2);
        page.Heading(RankScalingText.EfficiencyTitle);
        page.Table(
            RankScalingText.EfficiencyHeader(scaling), RankScalingText.EfficiencyRows(report, scaling).Select(row => row.Select(HtmlPage.Escape).ToArray()),
            [.. Enumerable.Range(1, scaling.Shown.Count + 1)]);
        page.Paragraph(RankScalingText.Paper);
    }

    private static IEnumerable<(string, string)> Tiles(MemoryReport report)
    {
        yield return (ByteSize.Format(report.Device.TotalBytes), "device memory, driver context included");
        yield return (ByteSize.Format(report.PinnedHost.TotalBytes), "pinned host memory");
        yield return (ByteSize.Format(report.Host.TotalBytes), "ordinary host memory");
        if (report.Budget.DeviceBytes != MemoryBudget.Unlimited)
        {
            yield return (ByteSize.Format(report.Budget.DeviceBytes), "budget");
        }
    }

    private static void AddChoices(HtmlPage page, MemoryReport report)
    {
        page.Heading("Choices");
        page.Add($"<p>{string.Join(' ', report.Choices.Select(choice => $"<code>{HtmlPage.Escape(choice.ToString())}</code>"))}</p>");
        page.Paragraph(ReportText.GivenUp(report));
        page.Table(
            ReportText.AlternativeHeader,
            report.Alternatives.Select(alternative => ReportText.AlternativeRow(alternative).Select(HtmlPage.Escape).ToArray()), 1, 2);
    }

    private static string[] Row(CategoryBytes category, int index, long total) =>
    [
        Chip(index) + HtmlPage.Escape(category.Label),
        category.Bytes.ToString("N0", CultureInfo.InvariantCulture),
        ByteSize.Format(category.Bytes),
        (100.0 * category.Bytes / Math.Max(1, total)).ToString("0.0", CultureInfo.InvariantCulture) + " %",
    ];

    /// <summary>What the colours of the chart above it mean.</summary>
    private static string Legend(IEnumerable<(int Color, string Label)> entries) =>
        $"<p class=\"soft\">{string.Join(" &nbsp; ", entries.Select(entry => Chip(entry.Color) + HtmlPage.Escape(entry.Label)))}</p>";

    private static string Chip(int category) => $"<span class=\"chip\" style=\"background:{HtmlPage.Color(category)}\"></span>";

    private static string[] SpaceRow(string space, CategoryBytes category) => [space, HtmlPage.Escape(category.Label), ByteSize.Format(category.Bytes)];
}
