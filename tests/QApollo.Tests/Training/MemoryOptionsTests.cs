using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Training;

/// <summary>Each memory switch trains like the plain setting.</summary>
public class MemoryOptionsTests
{
    private static readonly TrainingOptions Plain = Engine.Options(Engine.TinyModel(), new StepShape(2, 11, 3)) with
    {
        Memory = new MemoryOptions { Weights = new WeightFormats(WeightFormat.Int8, WeightFormat.BF16, 32) },
    };

    [Fact]
    public void Boundaries_in_host_memory_change_no_bit() =>
        RequireEqual(Plain.Memory with { Boundaries = MemorySpace.PinnedHost });

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public void Logits_in_small_chunks_change_rounding_only(int chunk) =>
        RequireClose(Plain.Memory with { LogitChunk = chunk }, 1e-5);

    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(66)]
    public void Gradients_of_the_vocabulary_in_slices_change_no_bit(int slice) =>
        RequireEqual(Plain.Memory with { VocabularySlice = slice });

    [Fact]
    public void Slices_and_host_boundaries_go_together() =>
        RequireEqual(Plain.Memory with { VocabularySlice = 16, Boundaries = MemorySpace.PinnedHost });

    [Fact]
    public void Gradients_in_BF16_are_those_in_F32_rounded() => RequireClose(Plain.Memory with { GradientDType = DType.BF16 }, 0.02);

    [Fact]
    public void Eight_bit_moments_slice_at_their_blocks()
    {
        TrainingOptions eightBit = Plain with { Optimizer = new OptimizerOptions { EmbeddingAndHead = OptimizerKind.AdamW8Bit } };
        RequireEqual(eightBit, eightBit.Memory with { VocabularySlice = 1 });
    }

    /// <summary>SCALE's head goes by rows, its embedding by columns over the whole vocabulary.</summary>
    [Fact]
    public void Columns_that_are_normalized_are_not_sliced()
    {
        TrainingOptions scale = Plain with { Optimizer = new OptimizerOptions { EmbeddingAndHead = OptimizerKind.Scale }, Memory = Plain.Memory with { VocabularySlice = 16 } };
        UsageException refused = Assert.Throws<UsageException>(() => { _ = new TrainingLayout(scale, new CpuProfile(threads: 2)); });
        Assert.Contains("--vocabulary-slice needs adamw", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tied_table_is_never_sliced()
    {
        TrainingOptions tied = Plain with { Model = Engine.TinyModel(tied: true) };
        RequireEqual(tied, tied.Memory with { VocabularySlice = 8 });
    }

    [Theory]
    [InlineData(WeightFormat.Int8, WeightFormat.Int8)]
    [InlineData(WeightFormat.BF16, WeightFormat.F32)]
    public void Every_storage_trains(WeightFormat matrices, WeightFormat embeddingAndHead)
    {
        TrainingOptions options = Plain with { Memory = Plain.Memory with { Weights = new WeightFormats(matrices, embeddingAndHead, 64) } };
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 10);

        double first = TrainingStepTests.Train(options, tokens, labels, steps: 1).Result.Loss;
        double later = TrainingStepTests.Train(options, tokens, labels, steps: 20).Result.Loss;

        Assert.True(later < 0.9 * first, $"loss went from {first} to {later}");
    }

    private static void RequireEqual(MemoryOptions memory) => RequireEqual(Plain, memory);

    private static void RequireEqual(TrainingOptions plain, MemoryOptions memory)
    {
        (TrainingStepTests.Run expected, TrainingStepTests.Run actual) = TrainBoth(plain, memory);
        Assert.Equal(expected.Result.Loss, actual.Result.Loss);
        foreach ((string name, float[] weights) in expected.Final)
        {
            Compare.BitEqual<float>(actual.Final[name], weights, name);
        }
    }

    /// <summary>Compares the gradients of the first step: afterwards roundings of weights differ too.</summary>
    private static void RequireClose(MemoryOptions memory, double relative)
    {
        (TrainingStepTests.Run expected, TrainingStepTests.Run actual) = TrainBoth(Plain, memory, steps: 1);
        Compare.AllClose([actual.Result.Loss], [expected.Result.Loss], 1e-5, 0, "loss");
        foreach ((string name, float[] gradient) in expected.Gradients)
        {
            Compare.AllClose(actual.Gradients[name], gradient, relative * gradient.Max(MathF.Abs), 0, name);
        }
    }

    private static (TrainingStepTests.Run Plain, TrainingStepTests.Run Switched) TrainBoth(TrainingOptions plain, MemoryOptions memory, int steps = 3)
    {
        Assert.NotEqual(plain.Memory, memory);
        (int[] tokens, int[] labels) = Engine.RandomBatch(plain, seed: 9);
        return (TrainingStepTests.Train(plain, tokens, labels, steps), TrainingStepTests.Train(plain with { Memory = memory }, tokens, labels, steps));
    }
}
