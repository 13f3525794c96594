using QApollo.Cpu;
using QApollo.Cuda.Tests.Simt;
using QApollo.Devices;
using QApollo.Optimizers;
using QApollo.Training;
using Xunit;

namespace QApollo.Cuda.Tests.Training;

/// <summary>A tiny model trains on the emulated GPU as on the CPU: same data, same seed, same course.</summary>
public class ParitySimtTests
{
    private const int Steps = 6;

    /// <summary>
    /// The GPU rounds activations to BF16, 2^-9 of a value; losses of a calm run stay within that. The learning rate is one
    /// that keeps it calm: during a loss spike, two runs part whatever their precision.
    /// </summary>
    private const double LossTolerance = 1.0 / 512;

    [Theory]
    [InlineData(OptimizerKind.ApolloMini, 1, MemorySpace.Device, DType.F32)]
    [InlineData(OptimizerKind.ApolloMini, 3, MemorySpace.PinnedHost, DType.BF16)]
    [InlineData(OptimizerKind.Apollo, 1, MemorySpace.Device, DType.F32)]
    [InlineData(OptimizerKind.AdamW, 2, MemorySpace.Device, DType.F32)]
    [InlineData(OptimizerKind.AdamW8Bit, 2, MemorySpace.Device, DType.F32)]
    public void Training_follows_the_course_of_the_cpu(OptimizerKind optimizer, int gradAccum, MemorySpace boundaries, DType gradientDType)
    {
        TrainingOptions options = Options(optimizer, gradAccum, boundaries, gradientDType);
        using var cpu = new CpuDevice(threads: 2);
        using CudaDevice simt = SimtLibrary.Default.Open();
        using var expected = new Trainer(options, cpu);
        using var actual = new Trainer(options, simt);
        double first = 0, last = 0;
        for (int step = 0; step < Steps; step++)
        {
            (int[] tokens, int[] labels) = TinyTraining.Batch(options, step % 2);
            StepResult onCpu = expected.Step(tokens, labels);
            StepResult onSimt = actual.Step(tokens, labels);
            Assert.InRange(onSimt.Loss, onCpu.Loss * (1 - LossTolerance), onCpu.Loss * (1 + LossTolerance));
            Assert.InRange(onSimt.GradientNorm, onCpu.GradientNorm * 0.98, onCpu.GradientNorm * 1.02);
            Assert.InRange(onSimt.ChangedShare, onCpu.ChangedShare - 0.01, onCpu.ChangedShare + 0.01);
            Assert.Equal(onCpu.Tokens, onSimt.Tokens);
            (first, last) = step == 0 ? (onSimt.Loss, onSimt.Loss) : (first, onSimt.Loss);
        }

        Assert.Equal(expected.UnmovedParameters, actual.UnmovedParameters);
        Assert.Empty(actual.UnmovedParameters!);
        Assert.True(last < 0.95 * first, $"the loss went from {first} to {last}");
    }

    /// <summary>The same run again gives the same bytes: losses are equal to the last bit.</summary>
    [Fact]
    public void Training_repeats_bit_for_bit()
    {
        TrainingOptions options = Options(OptimizerKind.ApolloMini, 2, MemorySpace.PinnedHost, DType.F32);
        Assert.Equal(Losses(options), Losses(options));
    }

    private static List<StepResult> Losses(TrainingOptions options)
    {
        using CudaDevice simt = SimtLibrary.Default.Open();
        using var trainer = new Trainer(options, simt);
        List<StepResult> results = [];
        for (int step = 0; step < 3; step++)
        {
            (int[] tokens, int[] labels) = TinyTraining.Batch(options, step);
            results.Add(trainer.Step(tokens, labels));
        }

        return results;
    }

    private static TrainingOptions Options(OptimizerKind optimizer, int gradAccum, MemorySpace boundaries, DType gradientDType)
    {
        var schedule = new LearningRateSchedule(ScheduleKind.Constant, 0.002, 100);
        TrainingOptions options = TinyTraining.Options(optimizer, gradAccum, boundaries, gradientDType, schedule);
        return options with { Optimizer = options.Optimizer with { WeightDecay = 0 } };
    }
}
