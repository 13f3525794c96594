using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Tests.Memory;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Training;

/// <summary>Layers that wait in host memory train like layers on the device, to the last bit, in the memory that was planned.</summary>
public class StreamingTests
{
    public static TheoryData<string> Courses => [.. StreamingCourse.All.Select(course => course.Name)];

    [Theory]
    [MemberData(nameof(Courses))]
    public void Every_byte_is_that_of_layers_on_the_device(string name) => Course(name).AssertEqualsPlain(Engine.Cpu);

    [Theory]
    [MemberData(nameof(Courses))]
    public void A_run_uses_exactly_what_was_planned(string name) => PlanAndRun.RequireEqual(Course(name).Streamed with { SampleTokens = 0 }, name);

    [Fact]
    public void No_layer_stays_on_the_device()
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(layers: 16), new StepShape(1, 11, 2)) with
        {
            Memory = new MemoryOptions { Boundaries = MemorySpace.PinnedHost, Layers = new LayerPlacement(MemorySpace.PinnedHost) },
        };
        MemoryPlan plan = new TrainingLayout(options, new CpuProfile(threads: 2)).Plan;
        Assert.Equal(0, plan.DeviceUsage.AtPeak(TensorCategory.Codes));
        Assert.Equal(ParameterTable.Of(options.Model).Where(parameter => parameter.IsMatrix).Sum(parameter => parameter.Elements), plan.PinnedHostUsage.AtPeak(TensorCategory.Codes));
    }

    [Fact]
    public void A_trainer_that_cannot_begin_leaves_no_file_of_layers()
    {
        using var folder = new TempFolder();
        using CpuDevice device = Engine.Cpu();
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(1, 11, 1)) with
        {
            Memory = new MemoryOptions { Layers = new LayerPlacement(MemorySpace.Disk) },
        };
        var failing = new TracingDevice(device.Profile, new FailingWeights(), device);
        Assert.Throws<RunFailedException>(() => new Trainer(new TrainingLayout(options, device.Profile), failing, folder.File("layers.tmp")));
        Assert.Empty(folder.Names);
    }

    private sealed class FailingWeights : IOperationObserver
    {
        public void OnOperation(string operation, ReadOnlySpan<Access> accesses)
        {
            if (operation == "fill normal")
            {
                throw new RunFailedException("no weights");
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public void A_ring_has_2_to_4_slots(int slots)
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(1, 11, 1)) with
        {
            Memory = new MemoryOptions { Layers = new LayerPlacement(MemorySpace.PinnedHost, slots) },
        };
        Assert.Contains("2 to 4 slots", Assert.Throws<UsageException>(() => new TrainingLayout(options, new CpuProfile(threads: 1))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(6)]
    public void Steps_allocate_nothing_on_the_managed_heap(int course)
    {
        TrainingOptions options = StreamingCourse.All[course].Streamed;
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device);
        (int[] tokens, int[] labels) = ParityCourse.Batch(options, seed: 1);
        for (int warmup = 0; warmup < 3; warmup++)
        {
            trainer.Step(tokens, labels);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int step = 0; step < 5; step++)
        {
            trainer.Step(tokens, labels);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void A_weight_whose_layer_is_away_is_not_read_by_mistake()
    {
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(StreamingCourse.All[0].Streamed, device);
        Weight weight = trainer.Layout.Weights.Layers[0].Query;
        Assert.Contains(weight.Parameter.Name, Assert.Throws<InvalidOperationException>(() => weight.Stored).Message, StringComparison.Ordinal);
    }

    private static StreamingCourse Course(string name) => StreamingCourse.All.Single(course => course.Name == name);
}
