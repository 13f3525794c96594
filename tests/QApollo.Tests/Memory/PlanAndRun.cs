using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Tests.Training;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Memory;

/// <summary>Holds a real run on the CPU against its plan.</summary>
internal static class PlanAndRun
{
    /// <summary>One allocation per space, of the planned size, all of it used, category by category.</summary>
    public static void RequireEqual(TrainingOptions options, string name)
    {
        using CpuDevice cpu = Engine.Cpu();
        var layout = new TrainingLayout(options, cpu.Profile);
        var meter = new ArenaMeter(layout.Plan);
        using var device = new TracingDevice(cpu.Profile, meter, cpu);
        using var trainer = new Trainer(layout, device);
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 1);

        trainer.Step(tokens, labels);
        int perBatch = options.Shape.TokensPerMicroBatch;
        trainer.Evaluate(tokens.AsSpan(0, perBatch), labels.AsSpan(0, perBatch));

        var expected = new List<(MemorySpace, long)> { (MemorySpace.Device, layout.Plan.DeviceArenaBytes) };
        if (options.Memory.Boundaries == MemorySpace.PinnedHost || options.Memory.Layers.Space != MemorySpace.Device)
        {
            expected.Add((MemorySpace.PinnedHost, layout.Plan.PinnedHostArenaBytes));
        }

        Assert.Equal(expected, device.Allocations);
        Assert.Equal(layout.Plan.Operations.Count, meter.Operations);
        Assert.Equal(layout.Plan.DeviceArenaBytes, meter.DeviceHighWater);
        foreach (TensorCategory category in TensorCategories.All)
        {
            Assert.True(
                layout.Plan.DeviceUsage.AtPeak(category) == meter.Measured(MemorySpace.Device).AtPeak(category), $"{name}: {category}");
            Assert.True(
                layout.Plan.PinnedHostUsage.AtPeak(category) == meter.Measured(MemorySpace.PinnedHost).AtPeak(category), $"{name}: {category}");
        }
    }
}
