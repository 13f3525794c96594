using QApollo.Cpu;
using QApollo.Cuda.Tests.Simt;
using QApollo.Devices;
using QApollo.Optimizers;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Cuda.Tests.Training;

/// <summary>A tiny model trains on the emulated GPU as on the CPU: same data, same seed, same course.</summary>
public class ParitySimtTests
{
    public static TheoryData<string> Courses => [.. ParityCourse.All.Where(course => !course.IsWide).Select(course => course.Name)];

    [Theory]
    [MemberData(nameof(Courses))]
    public void Training_follows_the_course_of_the_cpu(string name)
    {
        ParityCourse course = ParityCourse.All.Single(course => course.Name == name);
        using var cpu = new CpuDevice(threads: 2);
        using CudaDevice simt = SimtLibrary.Default.Open();
        ParityCourse.AssertFollows(course.Train(simt), course.Train(cpu));
    }

    /// <summary>The same run again gives the same bytes: losses are equal to the last bit.</summary>
    [Fact]
    public void Training_repeats_bit_for_bit()
    {
        TrainingOptions options = new ParityCourse(OptimizerKind.ApolloMini, 2, MemorySpace.PinnedHost, DType.F32).Options;
        Assert.Equal(Losses(options), Losses(options));
    }

    private static List<StepResult> Losses(TrainingOptions options)
    {
        using CudaDevice simt = SimtLibrary.Default.Open();
        using var trainer = new Trainer(options, simt);
        List<StepResult> results = [];
        for (int step = 0; step < 3; step++)
        {
            (int[] tokens, int[] labels) = ParityCourse.Batch(options, step);
            results.Add(trainer.Step(tokens, labels));
        }

        return results;
    }
}
