using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Reports;
using QApollo.Tests.Training;
using QApollo.Training;
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
        double step = slow.StepSeconds(bound);
        Assert.Equal(step / (step + slow.Cost(8).WireSeconds), slow.Efficiency(bound, 8));
        Assert.Equal([1, 2, 3, 4, 8, 16, 32, 64], new RankScaling(new TrainingLayout(layout.Options with { Ranks = 3 }, layout.Plan.Profile), 1e9).Shown);
    }

    private static TrainingLayout Layout(DType wire) => new(
        Engine.Options(Engine.TinyModel(), new StepShape(1, 8, 1)) with { Memory = new MemoryOptions { WireDType = wire } }, new CpuProfile(threads: 1));
}
