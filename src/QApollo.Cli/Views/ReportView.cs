using System.Globalization;
using QApollo.Benchmarks;
using QApollo.Diagnostics;
using QApollo.Memory;
using QApollo.Reports;

namespace QApollo.Cli.Views;

/// <summary>Reports in the terminal.</summary>
internal static class ReportView
{
    public static void Write(MemoryReport report)
    {
        Console.WriteLine($"{report.Model}: {ReportText.Subtitle(report)}");
        Console.WriteLine($"choices: {string.Join(' ', report.Choices)}");
        Console.WriteLine(ReportText.GivenUp(report));
        Console.WriteLine();
        TextTable.Write(
            "Device memory at the peak", ["category", "bytes", ""],
            report.Device.Used.Append(new CategoryBytes("total", "total", report.Device.TotalBytes)).Select(Row), 1, 2);
        TextTable.Write(
            "Host memory", ["category", "bytes", ""],
            [
                .. report.PinnedHost.Used.Select(category => Row(category with { Label = "pinned: " + category.Label })),
                .. report.Host.Used.Select(Row),
                Row(new CategoryBytes("total", "total", report.PinnedHost.TotalBytes + report.Host.TotalBytes)),
            ],
            1, 2);
        TextTable.Write(
            $"Peak: {report.Peak.Name} ({report.Peak.Phase})", ["lives then", "for", "bytes"], ReportText.PeakRows(report.Peak), 2);
        TextTable.Write("Further choices", ReportText.AlternativeHeader, report.Alternatives.Select(ReportText.AlternativeRow), 1, 2);
        if (report.Disk is { } disk)
        {
            Console.WriteLine(ReportText.DiskLine(disk));
            Console.WriteLine();
        }

        if (report.Link.Count > 0)
        {
            TextTable.Write("Over the link in one update, at the very best", ReportText.LinkHeader, report.Link.Select(ReportText.LinkRow), 2, 3, 4, 5, 6);
        }

        TextTable.Write("Speed of light", ReportText.SpeedHeader, report.SpeedBounds.Select(ReportText.SpeedRow), 1, 3, 4, 6);
        if (report.Scaling is { } scaling)
        {
            TextTable.Write(RankScalingText.Title, RankScalingText.CostHeader, RankScalingText.CostRows(scaling), 0, 1, 2);
            TextTable.Write(
                RankScalingText.EfficiencyTitle, RankScalingText.EfficiencyHeader(scaling), RankScalingText.EfficiencyRows(report, scaling),
                [.. Enumerable.Range(1, scaling.Shown.Count + 1)]);
            Console.WriteLine();
            Console.WriteLine(RankScalingText.Note(scaling));
            Console.WriteLine(RankScalingText.Paper);
        }
    }

    public static void Write(ProfileReport report)
    {
        Console.WriteLine($"{report.Plan.Model}: {ReportText.Subtitle(report.Plan)}; speed over {report.Steps} steps");
        Console.WriteLine();
        TextTable.Write("Measured", ["figure", "value"], ProfileReportText.Figures(report).Select(figure => new[] { figure.Label, figure.Value }), 1);
        TextTable.Write("Planned and measured", ProfileReportText.MemoryHeader, ProfileReportText.MemoryRows(report), 1, 2, 3);
        TextTable.Write("Time per operation of one step", ProfileReportText.OperationHeader, ProfileReportText.OperationRows(report), 1, 2, 3, 4);
        TextTable.WriteAny("Quantization health of one step", ProfileReportText.HealthHeader, ProfileReportText.HealthRows(report), 1, 2, 3, 4, 5);
    }

    /// <param name="filter">Only operations that contain it.</param>
    public static void Write(BenchmarkReport report, string filter)
    {
        Console.WriteLine(BenchmarkText.Title(report));
        Console.WriteLine();
        TextTable.Write("Measured", ["figure", "value"], BenchmarkText.Figures(report).Select(figure => new[] { figure.Label, figure.Value }));
        TextTable.Write("Where a step's time goes", BenchmarkText.KindHeader, BenchmarkText.KindRows(report), 1, 2);
        TextTable.Write(
            "Operations of a step, against matrix peak and copy bandwidth", BenchmarkText.OperationHeader,
            BenchmarkText.OperationRows(report, filter), 2, 3, 4, 5, 6, 7);
    }

    public static void Write(DoctorReport report)
    {
        string[] header = ["", "found"];
        TextTable.Write("Machine", header, report.Machine.Select(finding => new[] { finding.Label, finding.Text }));
        TextTable.Write("GPU software", header, report.GpuSoftware.Select(finding => new[] { finding.Label, finding.Text }));
        foreach (DeviceDiagnosis device in report.Devices)
        {
            TextTable.Write($"{device.Device}: {device.Name}", header, DoctorText.DeviceRows(device));
        }

        foreach (string note in report.Notes)
        {
            Console.WriteLine($"note: {note}");
        }
    }

    private static string[] Row(CategoryBytes category) =>
        [category.Label, category.Bytes.ToString("N0", CultureInfo.InvariantCulture), ByteSize.Format(category.Bytes)];
}
