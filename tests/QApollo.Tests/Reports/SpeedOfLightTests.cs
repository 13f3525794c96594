using QApollo.Cpu;
using QApollo.Models;
using QApollo.Reports;
using QApollo.Tests.Training;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Reports;

public class SpeedOfLightTests
{
    [Fact]
    public void LLaMA_7B_needs_six_FLOP_for_each_weight_and_attention()
    {
        // 6,476,005,376 in matrices, 131,072,000 in the head; 32 layers, 4096 features, 1024 tokens.
        double flops = SpeedOfLight.FlopsPerToken(LlamaPresets.Find("7b").Config, 1024);
        Assert.Equal(6.0 * (6_476_005_376 + 131_072_000 + (32L * 4096 * 1024)), flops);
    }

    [Fact]
    public void Small_steps_are_bound_by_memory_traffic_and_large_ones_by_arithmetic()
    {
        LlamaConfig model = Engine.TinyModel();
        SpeedBound small = Bound(new StepShape(1, 2, 1));
        SpeedBound large = Bound(new StepShape(8, 1024, 1));
        Assert.True(small.IsBandwidthBound);
        Assert.True(large.TokensPerSecond > small.TokensPerSecond);
        Assert.InRange(large.TokensPerSecond, 0, large.Card.BFloatFlops / SpeedOfLight.FlopsPerToken(model, 1024));
        Assert.Equal(1e9 / large.TokensPerSecond / 86_400, large.DaysPerBillionTokens);

        SpeedBound Bound(StepShape shape) =>
            SpeedOfLight.Bounds(new TrainingLayout(Engine.Options(model, shape), new CpuProfile(threads: 2)))[0];
    }
}
