using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Tests.Training;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Memory;

/// <summary>Models too large for any test machine keep to their plan on an arena that owns no memory.</summary>
public class RehearsalTests
{
    private static readonly nint DeviceBase = unchecked((nint)(1L << 44));
    private static readonly nint PinnedHostBase = unchecked((nint)(1L << 45));

    [Theory]
    [InlineData("7b", 1, MemorySpace.Device)]
    [InlineData("7b", 2, MemorySpace.PinnedHost)]
    [InlineData("llama3-8b", 1, MemorySpace.PinnedHost)]
    [InlineData("13b", 1, MemorySpace.Device)]
    [InlineData("30b", 1, MemorySpace.Device, MemorySpace.PinnedHost)]
    [InlineData("llama2-70b", 2, MemorySpace.PinnedHost, MemorySpace.PinnedHost)]
    public void A_step_touches_only_what_the_plan_gave_it(string preset, int gradAccum, MemorySpace boundaries, MemorySpace layers = MemorySpace.Device)
    {
        TrainingOptions options = Engine.Options(LlamaPresets.Find(preset).Config, new StepShape(1, 256, gradAccum)) with
        {
            Memory = new MemoryOptions { Boundaries = boundaries, Layers = new LayerPlacement(layers), VocabularySlice = 4096 },
            DocumentEnd = gradAccum > 1 ? 2 : null,
        };
        var profile = new CpuProfile(threads: 2);
        var layout = new TrainingLayout(options, profile);
        layout.Plan.Table.Bind(DeviceBase, PinnedHostBase);
        var meter = new ArenaMeter(layout.Plan);
        using var device = new TracingDevice(profile, meter);

        var tokens = new int[options.Shape.TokensPerStep];
        layout.Initialize(device);
        layout.RunStep(device, tokens, tokens, update: 1, learningRate: 0);
        layout.RunEvaluation(device, tokens.AsSpan(0, options.Shape.TokensPerMicroBatch), tokens.AsSpan(0, options.Shape.TokensPerMicroBatch));

        Assert.Equal(layout.Plan.Operations.Count, meter.Operations);
        Assert.Equal(layout.Plan.DeviceArenaBytes, meter.DeviceHighWater);
        foreach (TensorCategory category in TensorCategories.All)
        {
            Assert.Equal(layout.Plan.DeviceUsage.AtPeak(category), meter.Measured(MemorySpace.Device).AtPeak(category));
            Assert.Equal(layout.Plan.PinnedHostUsage.AtPeak(category), meter.Measured(MemorySpace.PinnedHost).AtPeak(category));
        }
    }
}
