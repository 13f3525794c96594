using QApollo.Devices;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Training;
using Xunit;

namespace QApollo.TestSupport;

/// <summary>A few updates of a tiny model that every device must make alike: same data, same seed, same course.</summary>
/// <param name="Architecture">Qwen2 has biases, and frequencies scaled as Llama 3.1's; Qwen3 has head norms and other biases.</param>
public sealed record ParityCourse(
    OptimizerKind Optimizer, int GradAccum, MemorySpace Boundaries, DType GradientDType, bool IsWide = false,
    ModelArchitecture Architecture = ModelArchitecture.Llama, int ResidualBits = 0, BoundaryFormat Format = BoundaryFormat.Activations)
{
    public const int Steps = 6;

    /// <summary>One that keeps the losses calm: during a loss spike, two runs part whatever their precision.</summary>
    public const double LearningRate = 0.002;

    /// <summary>The GPU rounds activations to BF16, 2^-9 of a value; losses of a calm run stay within that.</summary>
    public const double LossTolerance = 1.0 / 512;

    /// <summary>Every optimizer and every way through the step; the wide ones reach the large tiles of the products.</summary>
    public static IReadOnlyList<ParityCourse> All { get; } =
    [
        new(OptimizerKind.ApolloMini, 1, MemorySpace.Device, DType.F32),
        new(OptimizerKind.ApolloMini, 3, MemorySpace.PinnedHost, DType.BF16),
        new(OptimizerKind.Apollo, 1, MemorySpace.Device, DType.F32),
        new(OptimizerKind.AdamW, 2, MemorySpace.Device, DType.F32),
        new(OptimizerKind.AdamW8Bit, 2, MemorySpace.Device, DType.F32),
        new(OptimizerKind.Scale, 2, MemorySpace.Device, DType.BF16),
        new(OptimizerKind.SinkGd, 1, MemorySpace.Device, DType.F32, ResidualBits: 8),
        new(OptimizerKind.Racs, 3, MemorySpace.PinnedHost, DType.F32),
        new(OptimizerKind.ApolloMini, 1, MemorySpace.Device, DType.F32, IsWide: true),
        new(OptimizerKind.ApolloMini, 2, MemorySpace.PinnedHost, DType.BF16, IsWide: true),
        new(OptimizerKind.ApolloMini, 2, MemorySpace.Device, DType.F32, Architecture: ModelArchitecture.Qwen2),
        new(OptimizerKind.ApolloMini, 2, MemorySpace.Device, DType.F32, Architecture: ModelArchitecture.Qwen3),
        new(OptimizerKind.ApolloMini, 2, MemorySpace.Device, DType.F32, IsWide: true, ResidualBits: 4),
        new(OptimizerKind.ApolloMini, 2, MemorySpace.PinnedHost, DType.F32, Format: BoundaryFormat.Int8),
    ];

    public string Name =>
        $"{(IsWide ? "wide" : "tiny")}{(Architecture == ModelArchitecture.Llama ? "" : " " + Architecture)} {Optimizer} x{GradAccum} {Boundaries} {GradientDType}"
        + (ResidualBits == 0 ? "" : $" residual {ResidualBits}") + (Format == BoundaryFormat.Activations ? "" : $" {Format} boundaries");

    public TrainingOptions Options => new()
    {
        Model = Model,
        Shape = IsWide ? new StepShape(2, 100, GradAccum) : new StepShape(2, 24, GradAccum),
        Schedule = new LearningRateSchedule(ScheduleKind.Constant, LearningRate, 100),
        Optimizer = new OptimizerOptions { Kind = Optimizer },
        Memory = new MemoryOptions { Boundaries = Boundaries, BoundaryFormat = Format, GradientDType = GradientDType, Weights = new WeightFormats(GroupSize: 32, ResidualBits: ResidualBits) },
        Seed = 3,
    };

    private LlamaConfig Model => Architecture switch
    {
        ModelArchitecture.Qwen2 => Tiny with
        {
            Architecture = Architecture,
            QueryKeyValueBias = true,
            RopeScaling = new RotaryScaling { Kind = RotaryScalingKind.Llama3, Factor = 8, OriginalMaxPositionEmbeddings = 32 },
        },
        ModelArchitecture.Qwen3 => Tiny with { Architecture = Architecture, QueryKeyNorm = true, QueryKeyValueBias = true, OutputBias = true },
        _ => IsWide ? Wide : Tiny,
    };

    private static LlamaConfig Tiny => new()
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
    };

    private static LlamaConfig Wide => Tiny with
    {
        HiddenSize = 256,
        IntermediateSize = 688,
        HeadDim = 64,
        VocabSize = 1000,
        MaxPositionEmbeddings = 128,
    };

    /// <summary>Random tokens, each to be followed by a fixed one: something to learn.</summary>
    public static (int[] Tokens, int[] Labels) Batch(TrainingOptions options, int seed)
    {
        var random = new Random(seed);
        int[] tokens = [.. Enumerable.Range(0, options.Shape.TokensPerStep).Select(_ => random.Next(options.Model.VocabSize))];
        int[] labels = [.. tokens.Select((token, i) => i % 9 == 0 ? -100 : token * 7 % 17)];
        return (tokens, labels);
    }

    /// <summary>What each step reports; every parameter must move.</summary>
    public IReadOnlyList<StepResult> Train(IDevice device)
    {
        TrainingOptions options = Options;
        using var trainer = new Trainer(options, device);
        List<StepResult> results = [];
        for (int step = 0; step < Steps; step++)
        {
            (int[] tokens, int[] labels) = Batch(options, step % 2);
            results.Add(trainer.Step(tokens, labels));
        }

        Assert.Empty(trainer.UnmovedParameters!);
        return results;
    }

    /// <summary>Asserts that a course on another device went the same way, and learned.</summary>
    public static void AssertFollows(IReadOnlyList<StepResult> actual, IReadOnlyList<StepResult> expected)
    {
        Assert.Equal(expected.Count, actual.Count);
        foreach ((StepResult a, StepResult e) in actual.Zip(expected))
        {
            Assert.InRange(a.Loss, e.Loss * (1 - LossTolerance), e.Loss * (1 + LossTolerance));
            Assert.InRange(a.GradientNorm, e.GradientNorm * 0.98, e.GradientNorm * 1.02);
            Assert.InRange(a.ChangedShare, e.ChangedShare - 0.01, e.ChangedShare + 0.01);
            Assert.Equal(e.Tokens, a.Tokens);
        }

        Assert.True(actual[^1].Loss < 0.95 * actual[0].Loss, $"the loss went from {actual[0].Loss} to {actual[^1].Loss}");
    }
}
