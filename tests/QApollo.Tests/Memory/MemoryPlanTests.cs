using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Tests.Training;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Memory;

/// <summary>The plan is the allocation, and the allocation is what a run uses.</summary>
public class MemoryPlanTests
{
    public static TheoryData<string, int, bool, int> Variants => new()
    {
        { "plain", 1, false, 0 },
        { "accumulated", 3, false, 0 },
        { "host boundaries", 2, true, 0 },
        { "sliced vocabulary", 2, false, 16 },
        { "all together", 3, true, 16 },
    };

    [Theory]
    [MemberData(nameof(Variants))]
    public void A_real_run_uses_exactly_what_was_planned(string name, int gradAccum, bool hostBoundaries, int slice)
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(2, 11, gradAccum)) with
        {
            Memory = new MemoryOptions { Boundaries = hostBoundaries ? MemorySpace.PinnedHost : MemorySpace.Device, VocabularySlice = slice },
        };
        PlanAndRun.RequireEqual(options, name);
    }

    [Fact]
    public void Tensors_that_live_together_never_overlap()
    {
        using CpuDevice cpu = Engine.Cpu();
        MemoryPlan plan = new TrainingLayout(Engine.Options(Engine.TinyModel(), new StepShape(2, 11, 2)), cpu.Profile).Plan;
        foreach (PlannedTensor a in plan.Table.Tensors)
        {
            Assert.Equal(0, a.Offset % cpu.Profile.Alignment);
            foreach (PlannedTensor b in plan.Table.Tensors)
            {
                bool share = a != b && a.Space == b.Space && a.Offset < b.Offset + b.Bytes && b.Offset < a.Offset + a.Bytes;
                Assert.False(share && LiveTogether(a, b), $"{a} and {b}");
            }
        }
    }

    [Fact]
    public void Categories_at_the_peak_and_packing_add_up_to_the_allocation()
    {
        using CpuDevice cpu = Engine.Cpu();
        MemoryPlan plan = new TrainingLayout(Engine.Options(Engine.TinyModel(), new StepShape(2, 11, 2)), cpu.Profile).Plan;
        long sum = TensorCategories.All.Sum(plan.DeviceUsage.AtPeak) + plan.DeviceUsage.PackingBytes;
        Assert.Equal(plan.DeviceArenaBytes, sum);
        Assert.InRange(plan.DeviceUsage.PackingBytes, 0, plan.DeviceArenaBytes / 4);
    }

    [Fact]
    public void Reading_what_nothing_wrote_is_a_fault_of_the_step()
    {
        var table = new TensorTable();
        PlannedTensor total = table.Persistent("total", DType.F32, 1, 1, TensorCategory.Staging);
        PlannedTensor values = table.Transient("values", DType.F32, 1, 8, TensorCategory.Activations);
        using CpuDevice cpu = Engine.Cpu();

        var exception = Assert.Throws<InvalidOperationException>(
            () => MemoryPlan.Make(table, cpu.Profile, device => device.AccumulateSum(values, total)));

        Assert.Contains("reads tensor values", exception.Message, StringComparison.Ordinal);
    }

    private static bool LiveTogether(PlannedTensor a, PlannedTensor b)
    {
        bool aLives = a.IsPersistent || a.LiveRanges.Count > 0;
        bool bLives = b.IsPersistent || b.LiveRanges.Count > 0;
        if (a.IsPersistent || b.IsPersistent)
        {
            return aLives && bLives;
        }

        return a.LiveRanges.Any(x => b.LiveRanges.Any(y => x.First <= y.Last && y.First <= x.Last));
    }
}
