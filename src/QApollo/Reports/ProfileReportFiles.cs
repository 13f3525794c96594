using System.Text;
using System.Text.Json;
using QApollo.Training;

namespace QApollo.Reports;

/// <summary>A <see cref="ProfileReport"/> as page, JSON and Markdown.</summary>
public static class ProfileReportFiles
{
    /// <summary>The others take next to no time; the table has them.</summary>
    private const int ShownBars = 12;

    public static string ToHtml(ProfileReport report)
    {
        var page = new HtmlPage();
        page.Add($"<h1>Profile of {HtmlPage.Escape(report.Plan.Model)}</h1>");
        page.Add($"<p class=\"soft\">{HtmlPage.Escape(ReportText.Subtitle(report.Plan))}; speed over {report.Steps} steps</p>");
        page.Tiles(ProfileReportText.Figures(report).Select(figure => (figure.Value, figure.Label)));
        page.Heading("Planned and measured");
        page.Table(ProfileReportText.MemoryHeader, Escaped(ProfileReportText.MemoryRows(report)), 1, 2, 3);
        page.Heading("Time per operation of one step");
        page.Add(SvgChart.Bars(
        [
            .. report.Operations.Take(ShownBars)
                .Select(operation => (Row: ProfileReportText.OperationRow(report, operation), operation.Seconds))
                .Select(bar => (bar.Row[0], bar.Seconds, $"{bar.Row[2]} ms, {bar.Row[3]}")),
        ]));
        page.Table(ProfileReportText.OperationHeader, Escaped(ProfileReportText.OperationRows(report)), 1, 2, 3, 4);
        if (ProfileReportText.HealthRows(report).Any())
        {
            page.Heading("Quantization health of one step");
            page.Table(ProfileReportText.HealthHeader, Escaped(ProfileReportText.HealthRows(report)), 1, 2, 3, 4, 5);
        }

        MemoryReportHtml.AddMemory(page, report.Plan);
        return page.ToString($"Profile of {report.Plan.Model}");
    }

    public static string ToMarkdown(ProfileReport report)
    {
        var text = new StringBuilder();
        text.Append($"# Profile of {report.Plan.Model}\n\n{ReportText.Subtitle(report.Plan)}; speed over {report.Steps} steps.\n\n");
        AddTable(text, ["figure", "value"], ProfileReportText.Figures(report).Select(figure => new[] { figure.Label, figure.Value }));
        AddTable(text, ProfileReportText.MemoryHeader, ProfileReportText.MemoryRows(report));
        AddTable(text, ProfileReportText.OperationHeader, ProfileReportText.OperationRows(report));
        if (ProfileReportText.HealthRows(report).Any())
        {
            AddTable(text, ProfileReportText.HealthHeader, ProfileReportText.HealthRows(report));
        }

        return text.ToString();
    }

    public static byte[] ToJson(ProfileReport report)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteNumber("tokensPerSecond", report.TokensPerSecond);
            json.WriteNumber("steps", report.Steps);
            json.WriteNumber("matmulPeakFlops", report.MatmulPeak);
            json.WriteNumber("flopsPerToken", report.FlopsPerToken);
            json.WriteNumber("shareOfPeak", report.ShareOfPeak);
            if (report.TransferWaitSeconds is { } wait)
            {
                json.WriteNumber("transferWaitSeconds", wait);
            }

            json.WriteNumber("managedBytesPerStep", report.ManagedBytesPerStep);
            json.WriteNumber("processBytes", report.Process.Bytes);
            json.WriteNumber("processPeakBytes", report.Process.PeakBytes);
            if (report.Driver is { } driver)
            {
                json.WriteNumber("driverBeforeBytes", driver.BeforeBytes);
                json.WriteNumber("driverArenaBytes", driver.ArenaBytes);
                json.WriteNumber("driverTotalBytes", driver.TotalBytes);
            }

            WriteMemory(json, "measuredDevice", report.Device.Append(report.Arena));
            WriteMemory(json, "measuredPinnedHost", report.PinnedHost);
            WriteOperations(json, report.Operations);
            WriteHealth(json, report.Health);
            json.WriteStartObject("plan");
            MemoryReportJson.WriteBody(json, report.Plan);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    private static void WriteHealth(Utf8JsonWriter json, IReadOnlyList<LayerHealth> layers)
    {
        json.WriteStartArray("health");
        foreach (LayerHealth layer in layers)
        {
            json.WriteStartObject();
            if (layer.HasCodes)
            {
                json.WriteNumber("codesChanged", layer.CodesChanged);
                json.WriteNumber("updatesLost", layer.UpdatesLost);
                json.WriteNumber("noiseRatio", layer.NoiseRatio);
                json.WriteNumber("groupsRegridded", layer.GroupsRegridded);
            }

            json.WriteNumber("limited", layer.Limited);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteMemory(Utf8JsonWriter json, string name, IEnumerable<PlannedAndMeasured> categories)
    {
        json.WriteStartObject(name);
        foreach (PlannedAndMeasured category in categories)
        {
            json.WriteStartObject(category.Key);
            json.WriteNumber("planned", category.Planned);
            json.WriteNumber("measured", category.Measured);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WriteOperations(Utf8JsonWriter json, IReadOnlyList<OperationTime> operations)
    {
        json.WriteStartArray("operations");
        foreach (OperationTime operation in operations)
        {
            json.WriteStartObject();
            json.WriteString("name", operation.Operation);
            json.WriteNumber("count", operation.Count);
            json.WriteNumber("seconds", operation.Seconds);
            json.WriteNumber("flops", operation.Flops);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static IEnumerable<string[]> Escaped(IEnumerable<string[]> rows) => rows.Select(row => row.Select(HtmlPage.Escape).ToArray());

    private static void AddTable(StringBuilder text, IReadOnlyList<string> header, IEnumerable<IReadOnlyList<string>> rows)
    {
        void AddRow(IEnumerable<string> cells) => text.Append("| ").AppendJoin(" | ", cells).Append(" |\n");
        AddRow(header);
        AddRow(header.Select((_, column) => column == 0 ? "---" : "---:"));
        foreach (IReadOnlyList<string> row in rows)
        {
            AddRow(row);
        }

        text.Append('\n');
    }
}
