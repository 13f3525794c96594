using QApollo.Cpu;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Quantization;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Training;

/// <summary>What a step says of the rounding of its updates.</summary>
public class LayerHealthTests
{
    [Fact]
    public void Residual_bits_lose_fewer_updates_and_round_less()
    {
        LayerHealth plain = Train(new WeightFormats(), RoundingMode.LowDiscrepancy);
        LayerHealth fine = Train(new WeightFormats(ResidualBits: 4), RoundingMode.LowDiscrepancy);
        LayerHealth finest = Train(new WeightFormats(ResidualBits: 8), RoundingMode.LowDiscrepancy);
        Assert.InRange(plain.UpdatesLost, 2 * fine.UpdatesLost, 1);
        Assert.InRange(fine.UpdatesLost, 2 * finest.UpdatesLost, 1);
        Assert.InRange(plain.NoiseRatio / fine.NoiseRatio, 3, 20);
        Assert.InRange(fine.NoiseRatio / finest.NoiseRatio, 3, 20);
        Assert.All((LayerHealth[])[plain, fine, finest], health => Assert.InRange(health.CodesChanged, 0.01, 0.99));
    }

    [Fact]
    public void Regridding_always_is_seen_and_dense_matrices_have_nothing_to_say()
    {
        LayerHealth always = Train(new WeightFormats(), RoundingMode.Stochastic, RegridMode.Always);
        Assert.Equal((1.0, 0.0), (always.GroupsRegridded, always.UpdatesLost));
        LayerHealth dense = Train(Engine.Dense, RoundingMode.Stochastic);
        Assert.Equal(new LayerHealth(0, 0, 0, 0, dense.Limited), dense);
    }

    /// <summary>Small updates under another batch at every step, so that gradients grow now and then.</summary>
    private static LayerHealth Train(WeightFormats formats, RoundingMode rounding, RegridMode regrid = RegridMode.WhenNeeded)
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(2, 11, 1)) with
        {
            Memory = new MemoryOptions { Weights = formats },
            Quantization = new QuantizationOptions(rounding, regrid),
            Schedule = new LearningRateSchedule(ScheduleKind.Constant, 0.001, 10),
        };
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device);
        double limited = 0;
        for (int step = 0; step < 4; step++)
        {
            (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: step);
            trainer.Step(tokens, labels);
            limited += trainer.Health(0).Limited + trainer.Health(1).Limited;
        }

        Assert.True(limited > 0, "the limiter never bound an update");
        return trainer.Health(1);
    }
}
