using QApollo.Devices;
using QApollo.Optimizers;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Torch.Tests.Training;

/// <summary>Nothing else may run beside a test that counts the tensors of the process.</summary>
[CollectionDefinition(nameof(LeakTests), DisableParallelization = true)]
[Collection(nameof(LeakTests))]
public sealed class LeakTests
{
    /// <summary>Every tensor that an operation makes is gone when it ends: there are no more after many steps than after one.</summary>
    [Theory]
    [InlineData(OptimizerKind.ApolloMini, 0)]
    [InlineData(OptimizerKind.AdamW8Bit, 8)]
    public void Nothing_is_left_behind_by_a_step(OptimizerKind optimizer, int residualBits)
    {
        // Devices of other tests that nothing refers to any more: their tensors would go at any time.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        TrainingOptions options = new ParityCourse(optimizer, 2, MemorySpace.PinnedHost, DType.BF16, ResidualBits: residualBits).Options;
        using TorchDevice device = TorchDevice.OpenCpu(threads: 2);
        using var trainer = new Trainer(options, device);
        Step(trainer, 0);
        long after = TorchSharp.torch.Tensor.TotalCount;
        for (int step = 1; step < 6; step++)
        {
            Step(trainer, step);
            Assert.Equal(after, TorchSharp.torch.Tensor.TotalCount);
        }
    }

    private static void Step(Trainer trainer, int seed)
    {
        (int[] tokens, int[] labels) = ParityCourse.Batch(trainer.Layout.Options, seed);
        trainer.Step(tokens, labels);
    }
}
