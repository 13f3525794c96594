using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Reports;
using QApollo.Tests.Training;
using QApollo.Training;
using QApollo.Training.Planning;
using Xunit;

namespace QApollo.Tests.Reports;

public class RankScalingTests
{
    [Fact]
    public void A_rank_sends_its_share_of_every_gradient_twice()
    {
        TrainingLayout layout = Layout(DType.F32);
        double elements = layout.Weights.All.Sum(weight => (double)weight.Parameter.Elements);
        WireCost cost = new RankScaling(layout, 1e9).Cost(4);
        Assert.Equal(2 * 3 / 4.0 * 4 * elements, cost.BytesPerUpdate);
        Assert.Equal(cost.BytesPerUpdate / 1e9, cost.WireSeconds);
        Assert.Equal(0, new RankScaling(layout, 1e9).Cost(1).BytesPerUpdate);
    }

    [Fact]
    public void On_a_narrow_wire_only_vectors_keep_their_width()
    {
        TrainingLayout layout = Layout(DType.BF16);
        double vectors = layout.Weights.All.Where(weight => weight.Parameter.IsVector).Sum(weight => (double)weight.Parameter.Elements);
        double matrices = layout.Weights.All.Where(weight => !weight.Parameter.IsVector).Sum(weight => (double)weight.Parameter.Elements);
        Assert.Equal((4 * vectors) + (2 * matrices), new RankScaling(layout, 1e9).Cost(2).BytesPerUpdate);
    }

    [Fact]
    public void What_is_bought_shrinks_with_ranks_and_grows_with_the_link()
    {
        TrainingLayout layout = Layout(DType.F32);
        SpeedBound bound = SpeedOfLight.Bounds(layout)[0];
        var slow = new RankScaling(layout, 1e9);
        var fast = new RankScaling(layout, 1e11);
        Assert.Equal(1, slow.Efficiency(bound, 1));
        Assert.True(slow.Efficiency(bound, 8) < slow.Efficiency(bound, 2));
        Assert.True(slow.Efficiency(bound, 8) < fast.Efficiency(bound, 8));
        Assert.Equal([1, 2, 3, 4, 8, 16, 32, 64], new RankScaling(new TrainingLayout(layout.Options with { Ranks = 3 }, layout.Plan.Profile), 1e9).Shown);
    }

    /// <summary>
    /// Of a step of 4 s, 3 s are the backward pass: a half of them after the second layer's gradients, during which these travel. Layers that are all of
    /// the wire's time but that of embedding, head and final norm, which nothing hides.
    /// </summary>
    [Theory]
    [InlineData(GradientOverlap.Off, 1, 1, 1)]
    [InlineData(GradientOverlap.Off, 1, 5, 5)]
    [InlineData(GradientOverlap.Matrix, 1, 1, 0)]
    [InlineData(GradientOverlap.Matrix, 1, 5, 2)]
    [InlineData(GradientOverlap.Matrix, 3, 5, 4)]
    [InlineData(GradientOverlap.Layer, 3, 1, 0.5)]
    [InlineData(GradientOverlap.Layer, 3, 5, 3.5)]
    public void The_exchange_hides_behind_the_backward_pass(GradientOverlap overlap, int gradAccum, double wireSeconds, double exposed)
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(1, 8, gradAccum)) with { Memory = new MemoryOptions { Overlap = overlap } };
        var layout = new TrainingLayout(options, new CpuProfile(threads: 1));
        SpeedBound bound = SpeedOfLight.Bounds(layout)[0] with { TokensPerSecond = options.Shape.TokensPerStep / 4.0 };
        double layers = 4.0 * layout.Weights.Layers.Sum(layer => layer.All.Sum(weight => weight.Parameter.Elements));
        double others = new RankScaling(layout, 1).Cost(2).BytesPerUpdate - layers;
        var scaling = new RankScaling(layout, layers / wireSeconds);
        Assert.Equal(4 / (4 + exposed + (others / layers * wireSeconds)), scaling.Efficiency(bound, 2), 9);
    }

    [Fact]
    public void Computation_takes_what_is_predicted_where_something_is()
    {
        TrainingLayout layout = Layout(DType.F32);
        SpeedBound bound = SpeedOfLight.Bounds(layout)[0];
        var scaling = new RankScaling(layout, 1e9);
        Assert.Equal(8 / bound.TokensPerSecond, scaling.StepSeconds(bound));
        Assert.Equal(4, scaling.StepSeconds(bound with { Prediction = new StepPrediction(bound.Card, TokensPerSecond: 2, []) }));
    }

    [Fact]
    public void The_page_has_the_tables()
    {
        var run = new PlannedRun(Layout(DType.F32), []);
        MemoryReport report = MemoryReport.Of("tiny", run, MemoryBudget.None, []);
        string Html(RankScaling? scaling) => MemoryReportHtml.ToHtml(report with { Scaling = scaling });
        string page = Html(new RankScaling(run.Layout, 25e9));
        Assert.Contains("Over a link of 25 GB/s", page, StringComparison.Ordinal);
        Assert.Contains($"<h2>{RankScalingText.EfficiencyTitle}</h2>", page, StringComparison.Ordinal);
        Assert.DoesNotContain(RankScalingText.EfficiencyTitle, Html(null), StringComparison.Ordinal);
    }

    private static TrainingLayout Layout(DType wire) => new(
        Engine.Options(Engine.TinyModel(), new StepShape(1, 8, 1)) with { Memory = new MemoryOptions { WireDType = wire } }, new CpuProfile(threads: 1));
}
