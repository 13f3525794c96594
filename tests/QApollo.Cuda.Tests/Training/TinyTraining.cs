using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Training;

namespace QApollo.Cuda.Tests.Training;

/// <summary>A model and batches small enough for the emulator.</summary>
internal static class TinyTraining
{
    /// <param name="schedule">By default one whose learning rate is another in every step.</param>
    public static TrainingOptions Options(
        OptimizerKind optimizer, int gradAccum, MemorySpace boundaries, DType gradientDType = DType.F32, LearningRateSchedule? schedule = null)
    {
        return new TrainingOptions
        {
            Model = new LlamaConfig
            {
                HiddenSize = 64,
                IntermediateSize = 91,
                NumHiddenLayers = 2,
                NumAttentionHeads = 4,
                NumKeyValueHeads = 2,
                HeadDim = 16,
                VocabSize = 131,
                MaxPositionEmbeddings = 64,
                TieWordEmbeddings = false,
            },
            Shape = new StepShape(2, 24, gradAccum),
            Schedule = schedule ?? new LearningRateSchedule(ScheduleKind.Cosine, 0.002, 100, 3),
            Optimizer = new OptimizerOptions { Kind = optimizer, WeightDecay = 0.1f },
            Memory = new MemoryOptions { Boundaries = boundaries, GradientDType = gradientDType, Weights = new WeightFormats(GroupSize: 32) },
            Seed = 3,
        };
    }

    /// <summary>Random tokens, each to be followed by a fixed one: something to learn.</summary>
    public static (int[] Tokens, int[] Labels) Batch(TrainingOptions options, int seed)
    {
        var random = new Random(seed);
        int[] tokens = [.. Enumerable.Range(0, options.Shape.TokensPerStep).Select(_ => random.Next(options.Model.VocabSize))];
        int[] labels = [.. tokens.Select((token, i) => i % 9 == 0 ? -100 : token * 7 % 17)];
        return (tokens, labels);
    }

    public static StepResult Step(Trainer trainer, int seed)
    {
        (int[] tokens, int[] labels) = Batch(trainer.Layout.Options, seed);
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
