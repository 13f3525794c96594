using QApollo.Benchmarks;
using QApollo.Reports;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Benchmarks;

/// <summary>A rate that cannot be what it seems says so.</summary>
public class BenchmarkTextTests
{
    [Theory]
    [InlineData(WorkKind.Product, 99, 1e-3, "99.0 % of peak", "")]
    [InlineData(WorkKind.Product, 130, 1e-3, "130.0 % of peak", "above the measured peak: measure again on a calmer machine")]
    [InlineData(WorkKind.Attention, 130, 1e-3, "130.0 % of peak", "above the measured peak: measure again on a calmer machine")]
    [InlineData(WorkKind.Pass, 80, 1e-3, "80.0 % of copy", "")]
    [InlineData(WorkKind.Update, 250, 1e-3, "250.0 % of copy", "in cache, or the copy was disturbed")]
    [InlineData(WorkKind.Pass, 80, 3e-6, "", "too short to time")]
    [InlineData(WorkKind.Product, 80, 0, "", "too short to time")]
    [InlineData(WorkKind.Transfer, 0, 1e-3, "", "")]
    public void More_than_the_limit_is_never_left_unexplained(WorkKind kind, double percent, double seconds, string limit, string note)
    {
        double work = percent / 100 * 1e9 * seconds;
        BenchmarkReport report = Report(new BenchmarkRow(new OperationWork("operation", "f32", "[1, 2]", kind, work, work), 2, seconds, 2 * seconds, 1));
        string[] row = BenchmarkText.OperationRow(report, report.Rows[0]);
        Assert.Equal((limit, note), (row[7], row[8]));
    }

    /// <summary>A pass of 360 GB takes a second of the card's memory; the processor's own measure has no prediction.</summary>
    [Fact]
    public void A_known_card_has_a_prediction_beside_what_was_measured()
    {
        var row = new BenchmarkRow(new OperationWork("unheard of", "f32", "[1, 2]", WorkKind.Pass, 0, 360e9), 1, 2, 2, 1);
        BenchmarkReport report = Report(row);
        Assert.Equal("-", BenchmarkText.OperationRow(report, row)[4]);
        Assert.Equal("1,000.000", BenchmarkText.OperationRow(report with { Card = QApollo.Memory.Cards.TryFind("rtx-3060") }, row)[4]);
        var transfer = row with { Work = row.Work with { Kind = WorkKind.Transfer } };
        Assert.Equal("-", BenchmarkText.OperationRow(report with { Card = QApollo.Memory.Cards.TryFind("rtx-3060") }, transfer)[4]);
    }

    [Fact]
    public void Rows_that_say_nothing_are_one_unless_asked_for()
    {
        BenchmarkRow Row(string name, double count, double share) => new(new OperationWork(name, "f32", "[1]", WorkKind.Pass, 0, 1e6), count, 1e-3, count * 1e-3, share);
        BenchmarkReport report = Report(Row("copy", 1, 0.999), Row("zero", 4, 0.0004), Row("sum", 2, 0));
        string[][] rows = [.. BenchmarkText.OperationRows(report, string.Empty)];
        Assert.Equal(["copy", "2 others, below 0.05 % each"], rows.Select(row => row[0]));
        Assert.Equal(("6", "0.0 %"), (rows[1][2], rows[1][5]));
        Assert.Equal(BenchmarkText.OperationHeader.Count, rows[1].Length);
        Assert.Equal(["zero"], BenchmarkText.OperationRows(report, "zero").Select(row => row[0]));
        Assert.Equal(["copy"], BenchmarkText.OperationRows(Report(report.Rows[0]), string.Empty).Select(row => row[0]));
    }

    [Fact]
    public void Scaling_over_the_threads_is_told()
    {
        BenchmarkReport report = Report() with { Speeds = [new ThreadSpeed(1, 1000), new ThreadSpeed(8, 6500)] };
        Assert.Contains(("tokens/s, 1 thread", "1,000"), BenchmarkText.Figures(report));
        Assert.Contains(("tokens/s, 8 threads", "6,500 (6.50 times one thread)"), BenchmarkText.Figures(report));
        Assert.Contains(("tokens/s", "1,000"), BenchmarkText.Figures(Report()));
    }

    private static BenchmarkReport Report(params BenchmarkRow[] rows) => new()
    {
        Model = "tiny",
        Device = "a device",
        Shape = new StepShape(1, 16, 1),
        Steps = 1,
        IsProcessorTime = false,
        PeakSource = "products",
        MatrixPeak = 1e9,
        MedianMatrixPeak = 0.8e9,
        CopyBandwidth = 1e9,
        TimingSeconds = 1e-6,
        Rows = rows,
        Speeds = [new ThreadSpeed(1, 1000)],
    };
}
