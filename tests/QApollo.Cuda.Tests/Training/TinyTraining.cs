using QApollo.Devices;
using QApollo.Memory;
using QApollo.Optimizers;
using QApollo.TestSupport;
using QApollo.Training;

namespace QApollo.Cuda.Tests.Training;

/// <summary>A model and batches small enough for the emulator.</summary>
internal static class TinyTraining
{
    /// <param name="schedule">By default one whose learning rate is another in every step.</param>
    public static TrainingOptions Options(
        OptimizerKind optimizer, int gradAccum, MemorySpace boundaries, DType gradientDType = DType.F32, LearningRateSchedule? schedule = null)
    {
        TrainingOptions options = new ParityCourse(optimizer, gradAccum, boundaries, gradientDType).Options;
        return options with
        {
            Schedule = schedule ?? new LearningRateSchedule(ScheduleKind.Cosine, ParityCourse.LearningRate, 100, 3),
            Optimizer = options.Optimizer with { WeightDecay = 0.1f },
        };
    }

    public static StepResult Step(Trainer trainer, int seed)
    {
        (int[] tokens, int[] labels) = ParityCourse.Batch(trainer.Layout.Options, seed);
        return trainer.Step(tokens, labels);
    }

    /// <summary>The bytes of all weights and of the optimizer's state.</summary>
    public static byte[] State(Trainer trainer) =>
    [
        .. trainer.Layout.Weights.All.SelectMany(weight => new[] { weight.Values, weight.Scales, weight.ZeroPoints })
            .Concat(trainer.Layout.Optimizers.SelectMany(optimizer => optimizer.State))
            .OfType<PlannedTensor>()
            .SelectMany(tensor =>
            {
                var bytes = new byte[tensor.Bytes];
                trainer.Device.Download(tensor, bytes);
                return bytes;
            }),
    ];
}
