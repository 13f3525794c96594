using System.Text.Json;
using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Models;
using QApollo.Reports;
using QApollo.Tests.Training;
using QApollo.Training;
using QApollo.Training.Planning;
using Xunit;

namespace QApollo.Tests.Reports;

/// <summary>A profile measures what was planned, and accounts for the products of a step.</summary>
public class ProfilerTests
{
    [Fact]
    public void A_profile_finds_the_plan_kept()
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(2, 16, 1));
        using CpuDevice device = Engine.Cpu();
        var planner = new MemoryPlanner(device.Profile, MemoryBudget.None, new HashSet<MemoryChoice>());
        PlannedRun run = planner.Plan(options, "tiny");
        var plan = MemoryReport.Of("tiny", run, MemoryBudget.None, []);

        var stages = new Stages();
        ProfileReport report = new Profiler(device) { Progress = stages }.Run(options, plan, steps: 2);
        Assert.Equal(4, stages.Names.Count());

        Assert.NotEmpty(report.Device);
        Assert.All(report.Device.Append(report.Arena), category => Assert.Equal(category.Planned, category.Measured));
        Assert.True(report.TokensPerSecond > 0);
        Assert.True(report.ShareOfPeak > 0);

        // Forward, recomputation of all but the last product of a layer, and two products backward for each.
        long matrices = run.Layout.Weights.All.Where(weight => weight.Parameter.IsMatrix).Sum(weight => weight.Parameter.Elements);
        long down = run.Layout.Weights.Layers.Sum(layer => layer.Down.Parameter.Elements);
        long head = run.Layout.Weights.Head.Parameter.Elements;
        double flops = 2.0 * options.Shape.TokensPerStep * ((4 * matrices) - down + (3 * head));
        Assert.Equal(flops, report.Operations.Sum(operation => operation.Flops), flops * 1e-12);
        RequireFiles(report);
    }

    [Fact]
    public void Rows_that_say_nothing_are_one_or_none()
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(1, 4, 1));
        using CpuDevice device = Engine.Cpu();
        var planner = new MemoryPlanner(device.Profile, MemoryBudget.None, new HashSet<MemoryChoice>());
        var plan = MemoryReport.Of("tiny", planner.Plan(options, "tiny"), MemoryBudget.None, []);
        ProfileReport report = new Profiler(device).Run(options, plan, steps: 1) with
        {
            Operations = [new("long", 1, 2, 1e9), new("short", 3, 0.002, 0), new("tiny", 5, 0.0004, 0), new("none", 7, 0, 0)],
        };

        string[][] rows = [.. ProfileReportText.OperationRows(report)];
        Assert.Equal(["long", "short", "2 others, below 0.05 % each"], rows.Select(row => row[0]));
        Assert.Equal(["12", "0.40", "0.0 %", ""], rows[^1][1..]);
        Assert.Equal(4, ProfileReportFiles.ToHtml(report).Split("text-anchor=\"end\">").Count(part => part.StartsWith("long", StringComparison.Ordinal)
            || part.StartsWith("short", StringComparison.Ordinal) || part.StartsWith("tiny", StringComparison.Ordinal) || part.StartsWith("none", StringComparison.Ordinal)));

        Assert.Equal(2, ProfileReportText.HealthRows(report).Count());
        ProfileReport dense = report with { Health = [new LayerHealth(0, 0, 0, 0, 0.5), new LayerHealth(0, 0, 0, 0, 0)] };
        Assert.Empty(ProfileReportText.HealthRows(dense));
        Assert.DoesNotContain("codes changed", ProfileReportFiles.ToHtml(dense), StringComparison.Ordinal);
        Assert.DoesNotContain("codes changed", ProfileReportFiles.ToMarkdown(dense), StringComparison.Ordinal);
        Assert.Contains("codes changed", ProfileReportFiles.ToMarkdown(report), StringComparison.Ordinal);
    }

    [Fact]
    public void Waits_for_transfers_are_told_where_layers_stream()
    {
        using CpuDevice device = Engine.Cpu();
        ProfileReport Profile(TrainingOptions options)
        {
            var planner = new MemoryPlanner(device.Profile, MemoryBudget.None, new HashSet<MemoryChoice>());
            return new Profiler(device).Run(options, MemoryReport.Of("tiny", planner.Plan(options, "tiny"), MemoryBudget.None, []), steps: 1);
        }

        TrainingOptions resident = Engine.Options(Engine.TinyModel(layers: 4), new StepShape(1, 16, 2));
        Assert.Null(Profile(resident).TransferWaitSeconds);
        ProfileReport report = Profile(resident with { Memory = new MemoryOptions { Layers = new LayerPlacement(MemorySpace.PinnedHost) } });
        Assert.InRange(report.TransferWaitSeconds!.Value, 1e-9, report.Operations.Sum(operation => operation.Seconds));
        Assert.Single(ProfileReportText.Figures(report), figure => figure.Label == "waits for transfers");
        using var json = JsonDocument.Parse(ProfileReportFiles.ToJson(report));
        Assert.Equal(report.TransferWaitSeconds, json.RootElement.GetProperty("transferWaitSeconds").GetDouble());
        Assert.All(report.PinnedHost, category => Assert.Equal(category.Planned, category.Measured));
    }

    private static void RequireFiles(ProfileReport report)
    {
        using var json = JsonDocument.Parse(ProfileReportFiles.ToJson(report));
        JsonElement codes = json.RootElement.GetProperty("measuredDevice").GetProperty("codes");
        Assert.Equal(codes.GetProperty("planned").GetInt64(), codes.GetProperty("measured").GetInt64());
        Assert.Equal(report.Plan.Device.TotalBytes, json.RootElement.GetProperty("plan").GetProperty("device").GetProperty("totalBytes").GetInt64());
        Assert.Contains("| one allocation |", ProfileReportFiles.ToMarkdown(report), StringComparison.Ordinal);
        Assert.Contains("linear forward", ProfileReportFiles.ToHtml(report), StringComparison.Ordinal);
    }
}
