using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using QApollo.Cpu;
using QApollo.Memory;
using QApollo.Reports;
using QApollo.Tests.Training;
using QApollo.Training;
using QApollo.Training.Planning;
using Xunit;

namespace QApollo.Tests.Reports;

/// <summary>The report says what the plan says, in every format.</summary>
public class MemoryReportTests
{
    private static readonly string[] DeviceCategories =
    [
        "codes", "scales", "residuals", "embeddingAndHead", "norms", "optimizer", "gradients", "activations", "boundaries", "logits", "workspace",
        "staging", "exchange", "packing", "context",
    ];

    private static readonly string[] Spaces = ["device", "pinnedHost", "host"];

    private static readonly string[] PartsOfAStep = ["embedding forward", "forward", "loss and head", "backward", "embedding backward"];

    private static readonly MemoryReport Report = Make();

    [Fact]
    public void Json_has_the_agreed_shape_and_its_categories_add_up()
    {
        using var json = JsonDocument.Parse(MemoryReportJson.ToUtf8(Report));
        JsonElement root = json.RootElement;
        JsonElement device = root.GetProperty("device");
        Assert.Equal(DeviceCategories, device.GetProperty("categories").EnumerateObject().Select(category => category.Name));
        foreach (string space in Spaces)
        {
            JsonElement element = root.GetProperty(space);
            Assert.Equal(
                element.GetProperty("totalBytes").GetInt64(), element.GetProperty("categories").EnumerateObject().Sum(category => category.Value.GetInt64()));
        }

        JsonElement choices = root.GetProperty("choices");
        Assert.Equal(2, choices.GetProperty("batchSize").GetInt32());
        Assert.Equal(3, choices.GetProperty("gradAccum").GetInt32());
        Assert.Equal("host", choices.GetProperty("boundaries").GetString());
        Assert.Equal(JsonValueKind.Array, root.GetProperty("alternatives").ValueKind);
        Assert.Equal(Cards.All.Count, root.GetProperty("speedOfLight").GetArrayLength());
        Assert.Equal(Report.Peak.Resident + Report.Peak.Transient.Sum(tensor => tensor.Bytes), PeakBytes(root));
    }

    [Fact]
    public void The_timeline_reaches_the_peak_and_names_the_parts_of_a_step()
    {
        Assert.Equal(Report.Peak.Resident + Report.Peak.Transient.Sum(tensor => tensor.Bytes), Report.Timeline.Points.Max(point => point.Bytes.Sum()));
        Assert.Equal(PartsOfAStep, Report.Timeline.Parts.Select(part => part.Name));
        Assert.Equal(0, Report.Timeline.Parts[0].FirstPoint);
        Assert.Equal(Report.Timeline.Points.Count, Report.Timeline.Parts[^1].EndPoint);
        Assert.All(Report.Timeline.Parts, part => Assert.True(part.FirstPoint < part.EndPoint, part.Name));
    }

    [Fact]
    public void The_page_needs_nothing_from_elsewhere_and_its_charts_are_well_formed()
    {
        string html = MemoryReportHtml.ToHtml(Report);
        Assert.DoesNotMatch(@"(?i)<script|<link|src=|href=|url\(|@import|https?:", html);
        MatchCollection charts = Regex.Matches(html, "(?s)<svg.*?</svg>");
        Assert.Equal(2, charts.Count);
        foreach (Match chart in charts)
        {
            Assert.NotEmpty(XDocument.Parse(chart.Value).Descendants("title"));
            Assert.DoesNotContain("NaN", chart.Value, StringComparison.Ordinal);
        }

        Assert.Contains("a &lt;tiny&gt; model", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_colour_of_a_chart_is_explained_and_nothing_else_is()
    {
        string html = MemoryReportHtml.ToHtml(Report);
        string[] legends = [.. Regex.Matches(html, "(?s)</svg>.*?<p class=\"soft\">(.*?)</p>").Select(match => match.Groups[1].Value)];
        string[] charts = [.. Regex.Matches(html, "(?s)<svg.*?</svg>").Select(match => match.Value)];
        Assert.Equal(charts.Length, legends.Length);
        for (int i = 0; i < charts.Length; i++)
        {
            string[] drawn = [.. Regex.Matches(charts[i], "fill=\"(var\\(--c[0-9]+\\))\"").Select(match => match.Groups[1].Value)];
            string[] explained = [.. Regex.Matches(legends[i], "background:(var\\(--c[0-9]+\\))").Select(match => match.Groups[1].Value)];
            Assert.True(drawn.Length > 3);
            Assert.Equal(drawn.Distinct().Order(), explained.Order());
        }

        // Defined for light and dark, for every category there is.
        Assert.All(Enumerable.Range(0, DeviceCategories.Length), category => Assert.Equal(2, Regex.Count(html, $"--c{category}:#")));
    }

    private static long PeakBytes(JsonElement root)
    {
        JsonElement peak = root.GetProperty("peak");
        return peak.GetProperty("residentBytes").GetInt64() + peak.GetProperty("transient").EnumerateArray().Sum(tensor => tensor.GetProperty("bytes").GetInt64());
    }

    private static MemoryReport Make()
    {
        var options = Engine.Options(Engine.TinyModel(layers: 3), new StepShape(2, 16, 3)) with
        {
            Memory = new MemoryOptions { Boundaries = QApollo.Devices.MemorySpace.PinnedHost },
        };
        var planner = new MemoryPlanner(new CpuProfile(threads: 2), MemoryBudget.None, new HashSet<MemoryChoice>());
        PlannedRun run = planner.Plan(options, "tiny");
        return MemoryReport.Of("a <tiny> model", run, MemoryBudget.None, planner.Alternatives(options, run));
    }
}
