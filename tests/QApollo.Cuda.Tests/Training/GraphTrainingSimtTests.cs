using QApollo.Cuda.Tests.Simt;
using QApollo.Devices;
using QApollo.Optimizers;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Cuda.Tests.Training;

/// <summary>Training with CUDA graphs leaves the same bytes as training without them.</summary>
public sealed class GraphTrainingSimtTests
{
    private const int Steps = 5;

    private readonly SimtCopy _simt = SimtCopy.Of<GraphTrainingSimtTests>();

    [Theory]
    [InlineData(OptimizerKind.ApolloMini, 1, MemorySpace.Device)]
    [InlineData(OptimizerKind.ApolloMini, 3, MemorySpace.PinnedHost)]
    [InlineData(OptimizerKind.Apollo, 1, MemorySpace.PinnedHost)]
    [InlineData(OptimizerKind.AdamW, 2, MemorySpace.Device)]
    [InlineData(OptimizerKind.AdamW8Bit, 1, MemorySpace.Device)]
    [InlineData(OptimizerKind.Sgd, 2, MemorySpace.PinnedHost)]
    [InlineData(OptimizerKind.Scale, 2, MemorySpace.Device)]
    [InlineData(OptimizerKind.SinkGd, 1, MemorySpace.Device)]
    [InlineData(OptimizerKind.Racs, 1, MemorySpace.PinnedHost)]
    public void Bytes_are_those_of_launches_one_by_one(OptimizerKind optimizer, int gradAccum, MemorySpace boundaries)
    {
        TrainingOptions options = TinyTraining.Options(optimizer, gradAccum, boundaries);
        byte[] expected = Train(options, useGraphs: false);
        (_, int before, _) = _simt.Library.Counts();
        byte[] actual = Train(options, useGraphs: true);
        (_, int after, _) = _simt.Library.Counts();
        Compare.BitEqual<byte>(actual, expected, $"{optimizer}");
        Assert.True(after - before >= (Steps - 1) * (2 + options.Model.NumHiddenLayers), $"{after - before} graphs were launched");
    }

    /// <summary>Documents start elsewhere in every step; the graphs read where from the same place.</summary>
    [Fact]
    public void Documents_of_each_step_are_its_own()
    {
        TrainingOptions options = TinyTraining.Options(OptimizerKind.ApolloMini, 2, MemorySpace.Device);
        TrainingOptions masked = options with { DocumentEnd = MostFrequentToken(options) };
        byte[] expected = Train(masked, useGraphs: false);
        Compare.BitEqual<byte>(Train(masked, useGraphs: true), expected, "within documents");
        Assert.NotEqual(Train(options, useGraphs: false), expected);
    }

    [Fact]
    public void A_step_in_graphs_launches_little_else()
    {
        using CudaDevice device = _simt.Library.Open();
        TrainingOptions options = TinyTraining.Options(OptimizerKind.ApolloMini, 1, MemorySpace.Device);
        using var trainer = new Trainer(options, device);
        int first = LaunchesOfStep(trainer);
        for (int step = 0; step < 3; step++)
        {
            LaunchesOfStep(trainer);
        }

        // What is left: embedding forward and backward, and the release of the embedding.
        int later = LaunchesOfStep(trainer);
        Assert.InRange(later, 1, first / 10);
    }

    [Fact]
    public void A_hook_sees_the_gradients_of_launches_one_by_one()
    {
        TrainingOptions options = TinyTraining.Options(OptimizerKind.ApolloMini, 2, MemorySpace.PinnedHost);
        var expected = new GradientBytes();
        var actual = new GradientBytes();
        byte[] without = Train(options, useGraphs: false, expected);
        byte[] with = Train(options, useGraphs: true, actual);
        Compare.BitEqual<byte>(with, without, "weights");
        Compare.BitEqual<byte>(actual.Bytes.ToArray(), expected.Bytes.ToArray(), "gradients");
    }

    /// <summary>The host reads the loss between two graphs, and leaves those behind it out.</summary>
    [Theory]
    [InlineData(1, MemorySpace.Device)]
    [InlineData(3, MemorySpace.PinnedHost)]
    public void A_skipped_step_changes_no_byte_and_the_graphs_go_on(int gradAccum, MemorySpace boundaries)
    {
        TrainingOptions options = TinyTraining.Options(OptimizerKind.ApolloMini, gradAccum, boundaries);
        byte[][] states = [.. ((bool[])[false, true]).Select(useGraphs =>
        {
            using CudaDevice device = _simt.Library.Open(new CudaOptions { UseGraphs = useGraphs });
            using var trainer = new Trainer(options, device);
            for (int step = 0; step < Steps; step++)
            {
                bool skips = step is 1 or 3;
                byte[] before = TinyTraining.State(trainer);
                (int[] tokens, int[] labels) = ParityCourse.Batch(options, step);
                StepResult result = trainer.Step(tokens, labels, loss => double.IsFinite(loss) && skips);
                Assert.Equal((skips, step + 1), (result.IsSkipped, trainer.CompletedSteps));
                Assert.Equal(skips, before.AsSpan().SequenceEqual(TinyTraining.State(trainer)));
            }

            return TinyTraining.State(trainer);
        })];
        Compare.BitEqual<byte>(states[1], states[0], "with graphs");
    }

    [Fact]
    public void A_hook_that_works_now_and_then_gets_what_it_asks_for()
    {
        TrainingOptions options = TinyTraining.Options(OptimizerKind.AdamW, 1, MemorySpace.Device);
        Compare.BitEqual<byte>(
            Train(options, useGraphs: true, new OddStepScaling()), Train(options, useGraphs: false, new OddStepScaling()), "weights");
    }

    [Fact]
    public void Two_trainers_take_turns_on_one_device()
    {
        TrainingOptions options = TinyTraining.Options(OptimizerKind.ApolloMini, 2, MemorySpace.Device);
        byte[] expected = Train(options, useGraphs: false);
        using CudaDevice device = _simt.Library.Open();
        using var one = new Trainer(options, device);
        using var other = new Trainer(options, device);
        for (int step = 0; step < Steps; step++)
        {
            TinyTraining.Step(one, step);
            TinyTraining.Step(other, step);
        }

        Compare.BitEqual<byte>(TinyTraining.State(one), expected, "the first");
        Compare.BitEqual<byte>(TinyTraining.State(other), expected, "the second");
    }

    [Fact]
    public void Steps_allocate_nothing_on_the_managed_heap()
    {
        using CudaDevice device = _simt.Library.Open();
        TrainingOptions options = TinyTraining.Options(OptimizerKind.ApolloMini, 2, MemorySpace.PinnedHost);
        using var trainer = new Trainer(options, device);
        (int[] tokens, int[] labels) = ParityCourse.Batch(options, 0);
        for (int warm = 0; warm < 4; warm++)
        {
            trainer.Step(tokens, labels);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        trainer.Step(tokens, labels);
        trainer.Step(tokens, labels);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    /// <summary>It ends many documents.</summary>
    private static int MostFrequentToken(TrainingOptions options) => Enumerable.Range(0, Steps)
        .SelectMany(step => ParityCourse.Batch(options, step).Tokens).CountBy(token => token).MaxBy(count => count.Value).Key;

    private byte[] Train(TrainingOptions options, bool useGraphs, params IReleaseHook[] hooks)
    {
        using CudaDevice device = _simt.Library.Open(new CudaOptions { UseGraphs = useGraphs });
        using var trainer = new Trainer(options, device, hooks: hooks);
        for (int step = 0; step < Steps; step++)
        {
            TinyTraining.Step(trainer, step);
        }

        return TinyTraining.State(trainer);
    }

    private int LaunchesOfStep(Trainer trainer)
    {
        (int before, _, _) = _simt.Library.Counts();
        TinyTraining.Step(trainer, trainer.CompletedSteps);
        return _simt.Library.Counts().Launches - before;
    }

    private sealed class GradientBytes : IReleaseHook
    {
        public List<byte> Bytes { get; } = [];

        public void BeforeUpdate(IDevice device, in ReleasedGradient released)
        {
            var bytes = new byte[released.Gradient.Bytes];
            device.Download(released.Gradient, bytes);
            Bytes.AddRange(bytes);
        }
    }

    /// <summary>Every other step, the gradients of norms are replaced: another sequence of launches.</summary>
    private sealed class OddStepScaling : IReleaseHook
    {
        public void BeforeUpdate(IDevice device, in ReleasedGradient released)
        {
            if (released.Step % 2 == 1 && released.Parameter.IsNorm)
            {
                device.Fill(released.Gradient, 0.5f);
            }
        }
    }
}
