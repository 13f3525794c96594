using QApollo.Cpu;
using QApollo.Training.Planning;
using Xunit;

namespace QApollo.Tests.Training.Planning;

public class PresetFitTests
{
    [Fact]
    public void The_largest_presets_that_fit_come_first()
    {
        var budget = new MemoryBudget(600L << 20, 16L << 30);
        IReadOnlyList<PresetFit> fits = PresetFit.Largest(new CpuProfile(2), budget, sequenceLength: 256, count: 2);
        Assert.Equal(2, fits.Count);
        Assert.True(fits[0].Preset.Config.ParameterCount > fits[1].Preset.Config.ParameterCount);
        Assert.All(fits, fit => Assert.True(budget.Allows(fit.Footprint)));

    }

    [Fact]
    public void Nothing_fits_into_nothing() =>
        Assert.Empty(PresetFit.Largest(new CpuProfile(1), new MemoryBudget(1 << 20, 16L << 30), sequenceLength: 64, count: 3));
}
