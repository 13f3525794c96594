using QApollo.Batches;
using QApollo.Checkpoints;
using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Diagnostics;
using QApollo.Memory;
using QApollo.Optimizers;
using QApollo.Runs;
using QApollo.Tests.Training;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Torch.Tests.Training;

/// <summary>Tiny models train as on the CPU device, repeatably, and go on where they stopped.</summary>
public sealed class TrainingTests
{
    public static TheoryData<string> Courses => [.. ParityCourse.All.Select(course => course.Name)];

    [Theory]
    [MemberData(nameof(Courses))]
    public void Training_follows_the_course_of_the_cpu(string name)
    {
        ParityCourse course = ParityCourse.All.Single(course => course.Name == name);
        using var cpu = new CpuDevice(threads: 2);
        using TorchDevice torch = TorchDevice.OpenCpu(threads: 2);
        ParityCourse.AssertFollows(course.Train(torch), course.Train(cpu));
    }

    [Fact]
    public void Training_repeats_bit_for_bit()
    {
        TrainingOptions options = new ParityCourse(OptimizerKind.ApolloMini, 2, MemorySpace.PinnedHost, DType.F32).Options;
        Compare.BitEqual<byte>(Train(options, steps: 3), Train(options, steps: 3), "weights and optimizer state");
    }

    /// <summary>A run that ends and goes on from its saved state makes the bytes of one that does not.</summary>
    [Theory]
    [InlineData(OptimizerKind.ApolloMini)]
    [InlineData(OptimizerKind.AdamW8Bit)]
    public void A_resumed_run_makes_the_same_bytes(OptimizerKind optimizer)
    {
        TrainingOptions options = new ParityCourse(optimizer, 2, MemorySpace.Device, DType.F32).Options;
        using var folder = new TempFolder();
        using TorchDevice device = TorchDevice.OpenCpu(threads: 2);
        string checkpoint;
        using (var first = new Trainer(options, device))
        {
            Steps(first, 0, 2);
            checkpoint = Checkpoint.Save(first, new RunState(2, 0, new DataPosition(0, 0), options.Seed, "00"), folder.Path);
        }

        using var second = new Trainer(options, device);
        Checkpoint.Load(second, checkpoint);
        Steps(second, 2, 4);
        Compare.BitEqual<byte>(State(second), Train(options, steps: 4), "weights and optimizer state");
    }

    public static TheoryData<string> StreamingCourses => [.. StreamingCourse.All.Select(course => course.Name)];

    [Theory]
    [MemberData(nameof(StreamingCourses))]
    public void Layers_that_wait_elsewhere_make_the_same_bytes(string name) =>
        StreamingCourse.All.Single(course => course.Name == name).AssertEqualsPlain(() => TorchDevice.OpenCpu(threads: 2));

    [Fact]
    public void The_device_passes_the_self_test()
    {
        using TorchDevice device = TorchDevice.OpenCpu(threads: 2);
        using var cpu = new CpuDevice(threads: 2);
        Assert.All(SelfTest.Run(device, cpu), check => Assert.True(check.Passed, $"{check.Name}: off by {check.Difference}"));
    }

    private static byte[] Train(TrainingOptions options, int steps)
    {
        using TorchDevice device = TorchDevice.OpenCpu(threads: 2);
        using var trainer = new Trainer(options, device);
        Steps(trainer, 0, steps);
        return State(trainer);
    }

    private static void Steps(Trainer trainer, int first, int end)
    {
        for (int step = first; step < end; step++)
        {
            (int[] tokens, int[] labels) = ParityCourse.Batch(trainer.Layout.Options, step);
            trainer.Step(tokens, labels);
        }
    }

    private static byte[] State(Trainer trainer) =>
    [
        .. trainer.Layout.Weights.All.SelectMany(weight => new[] { weight.Values, weight.Scales, weight.ZeroPoints })
            .Concat(trainer.Layout.Optimizers.SelectMany(optimizer => optimizer.State))
            .OfType<PlannedTensor>()
            .SelectMany(tensor => Engine.Bytes(trainer.Device, tensor)),
    ];
}
