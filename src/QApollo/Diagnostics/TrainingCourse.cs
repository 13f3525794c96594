using QApollo.Devices;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Training;

namespace QApollo.Diagnostics;

/// <summary>The first steps of a tiny model that every device must train alike.</summary>
/// <param name="Losses">Of each step, in nats.</param>
/// <param name="GradientNorms">Of each step.</param>
internal sealed record TrainingCourse(IReadOnlyList<double> Losses, IReadOnlyList<double> GradientNorms)
{
    private const int Steps = 6;

    /// <summary>What the CPU device gave when the program was written, for machines whose only device it is.</summary>
    public static TrainingCourse Known { get; } = new(
        [4.945416, 4.800198, 4.607219, 4.441641, 4.252032, 4.131587], [1.815878, 2.639791, 2.311662, 2.415796, 2.212682, 2.927634]);

    private static TrainingOptions Options { get; } = new()
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
        Shape = new StepShape(BatchSize: 2, SequenceLength: 24, GradAccum: 2),
        Schedule = new LearningRateSchedule(ScheduleKind.Constant, 0.002, 100),
        Memory = new MemoryOptions { Boundaries = MemorySpace.PinnedHost, Weights = new WeightFormats(GroupSize: 32) },

        // A course on which no weight stands so close to the edge of a rounding that the last bit of a sum decides it.
        Seed = 8,
    };

    /// <exception cref="RunFailedException">A loss or a gradient is not finite.</exception>
    public static TrainingCourse Run(IDevice device)
    {
        using var trainer = new Trainer(Options, device);
        StepResult[] results = [.. Enumerable.Range(0, Steps).Select(step =>
        {
            (int[] tokens, int[] labels) = Batch((uint)step % 2);
            return trainer.Step(tokens, labels);
        })];
        return new TrainingCourse([.. results.Select(result => result.Loss)], [.. results.Select(result => result.GradientNorm)]);
    }

    /// <summary>Tokens of a linear congruential generator, the same with every runtime, each to be followed by a fixed one: something to learn.</summary>
    private static (int[] Tokens, int[] Labels) Batch(uint seed)
    {
        uint state = seed;
        int Next()
        {
            state = unchecked((state * 1664525) + 1013904223);
            return (int)((state >> 16) % (uint)Options.Model.VocabSize);
        }

        int[] tokens = [.. Enumerable.Range(0, Options.Shape.TokensPerStep).Select(_ => Next())];
        return (tokens, [.. tokens.Select((token, i) => i % 9 == 0 ? -100 : token * 7 % 17)]);
    }
}
