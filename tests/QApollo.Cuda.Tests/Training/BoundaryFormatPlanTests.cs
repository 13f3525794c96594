using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Training;
using Xunit;

namespace QApollo.Cuda.Tests.Training;

/// <summary>What layer inputs in fewer bits take of a card.</summary>
public class BoundaryFormatPlanTests
{
    /// <summary>32 x 1,024 tokens of LLaMA-7B: a byte and a scale per token instead of two bytes, and one boundary as it is computed.</summary>
    [Theory]
    [InlineData(MemorySpace.Device)]
    [InlineData(MemorySpace.PinnedHost)]
    public void Half_the_memory_of_a_7B(MemorySpace space)
    {
        TrainingOptions options = Options(space, BoundaryFormat.Int8);
        MemoryPlan plan = new TrainingLayout(options, new CudaProfile()).Plan;
        long tokens = options.Shape.TokensPerStep, hidden = options.Model.HiddenSize;
        MemoryUsage usage = space == MemorySpace.Device ? plan.DeviceUsage : plan.PinnedHostUsage;
        Assert.Equal((32 * tokens * (hidden + 4)) + (tokens * hidden * 2), usage.AtPeak(TensorCategory.Boundaries));
    }

    [Fact]
    public void Wider_than_what_is_computed_is_refused()
    {
        string message = Assert.Throws<UsageException>(() => new TrainingLayout(Options(MemorySpace.Device, BoundaryFormat.F32), new CudaProfile())).Message;
        Assert.Equal("--boundary-dtype f32: cuda computes them in bf16; take bf16 or int8", message);
    }

    private static TrainingOptions Options(MemorySpace space, BoundaryFormat format) => new()
    {
        Model = LlamaPresets.TryFind("7b")!.Config,
        Shape = new StepShape(1, 1024, 32),
        Schedule = new LearningRateSchedule(ScheduleKind.Constant, 0.01, 1),
        Memory = new MemoryOptions { Boundaries = space, BoundaryFormat = format },
    };
}
