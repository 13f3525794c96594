using System.Text.Json;
using QApollo.Benchmarks;
using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Reports;
using QApollo.Tests.Training;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Benchmarks;

/// <summary>The benchmark times the operations of the step itself: all of them, each in its row.</summary>
public class StepBenchmarkTests
{
    private static readonly TrainingOptions Options = Engine.Options(Engine.TinyModel(), new StepShape(2, 16, 2));

    [Fact]
    public void Every_operation_of_the_planned_step_is_timed()
    {
        using CpuDevice device = Engine.Cpu();
        BenchmarkReport report = new StepBenchmark(device, "a CPU", new TickingClock()).Run("tiny", Options, steps: 3);

        Dictionary<string, double> timed = report.Rows.GroupBy(row => row.Work.Operation).ToDictionary(group => group.Key, group => group.Sum(row => row.CountPerStep));
        MemoryPlan plan = new TrainingLayout(Options, device.Profile).Plan;
        int first = plan.Phases.First(phase => phase.Name == "embedding forward").FirstOperation;
        int end = plan.Phases.First(phase => phase.Name == "evaluation").FirstOperation;
        foreach (IGrouping<string, string> planned in plan.Operations.Take(end).Skip(first).Where(name => name is not "upload").GroupBy(name => name))
        {
            Assert.Equal(planned.Count(), timed[planned.Key]);
        }
    }

    [Fact]
    public void Waits_for_transfers_are_those_of_the_operations_that_wait()
    {
        using CpuDevice device = Engine.Cpu();
        BenchmarkReport Run(TrainingOptions options) => new StepBenchmark(device, "a CPU", new TickingClock()).Run("tiny", options, steps: 1);
        Assert.Null(Run(Options).TransferWaitSeconds);
        BenchmarkReport report = Run(Options with { Memory = new MemoryOptions { Boundaries = MemorySpace.PinnedHost } });
        double transfers = report.Rows.Where(row => row.Work.Operation is "transfer" or "await transfer").Sum(row => row.CountPerStep);
        Assert.Equal(transfers * 1e-3, report.TransferWaitSeconds!.Value, 9);
        Assert.Single(BenchmarkText.Figures(report), figure => figure.Label == "waits for transfers");
    }

    /// <summary>Each operation takes one tick of the clock, a millisecond.</summary>
    [Fact]
    public void Times_counts_and_shares_add_up()
    {
        using CpuDevice device = Engine.Cpu();
        using CpuDevice one = new(threads: 1);
        BenchmarkReport report = new StepBenchmark(device, "a CPU", new TickingClock()) { OneThread = one, Threads = 2 }.Run("tiny", Options, steps: 2);

        Assert.All(report.Rows, row => Assert.Equal(1e-3, row.MedianSeconds, 9));
        Assert.Equal(report.Rows.Sum(row => row.CountPerStep) * 1e-3, report.OperationSeconds, 9);
        Assert.Equal(1, report.Rows.Sum(row => row.Share), 9);
        Assert.Equal([1, 2], report.Speeds.Select(speed => speed.Threads));
        Assert.All(report.Speeds, speed => Assert.True(speed.TokensPerSecond > 0));
        Assert.True(report.MatrixPeak > 0 && report.CopyBandwidth > 0);
        Assert.InRange(report.MedianMatrixPeak, 0, report.MatrixPeak);
        BenchmarkRow product = report.Rows.First(row => row.Work.Kind == WorkKind.Product);
        Assert.Equal(product.Work.Flops / 1e-3, product.Rate, 1);
        Assert.Equal(product.Rate / report.MatrixPeak, report.ShareOfLimit(product), 9);
    }

    [Fact]
    public void The_device_runs_multiply_adds_for_the_peak_and_says_how_many()
    {
        using CpuDevice one = new(threads: 1), two = new(threads: 2);
        Assert.True(one.RunMultiplyAdds() > 1e6);
        Assert.Equal(2 * one.RunMultiplyAdds(), two.RunMultiplyAdds());
    }

    [Fact]
    public void The_JSON_has_the_rows_of_the_filter()
    {
        using CpuDevice device = Engine.Cpu();
        BenchmarkReport report = new StepBenchmark(device, "a CPU").Run("tiny", Options, steps: 1);
        using var json = JsonDocument.Parse(BenchmarkReportJson.ToUtf8(report, "WEIGHT gradient"));
        JsonElement[] rows = [.. json.RootElement.GetProperty("operations").EnumerateArray()];
        Assert.NotEmpty(rows);
        Assert.All(rows, row => Assert.Equal("linear weight gradient", row.GetProperty("operation").GetString()));
        Assert.All(rows, row => Assert.True(row.GetProperty("flopsPerSecond").GetDouble() > 0));
        Assert.Equal(report.MatrixPeak, json.RootElement.GetProperty("matrixPeakFlops").GetDouble());
    }

    /// <summary>A clock that knows nothing but marks: a millisecond from each to the next.</summary>
    private sealed class TickingClock : IOperationClock
    {
        private int _marks;

        public int Mark() => _marks++;

        public double Seconds(int first, int second) => (second - first) * 1e-3;

        public void ClearMarks() => _marks = 0;
    }
}
