using QApollo.Devices;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Quantization;
using QApollo.Training;

namespace QApollo.Quality;

/// <summary>A way to train, as the study names it.</summary>
/// <param name="LearningRate">Peak: the rate that the setting is compared at.</param>
/// <param name="Apply">Changes F32 weights under APOLLO-Mini into it.</param>
internal sealed record Setting(string Name, double LearningRate, Func<TrainingOptions, TrainingOptions> Apply)
{
    /// <summary>The entry of <see cref="Tuning"/> whose best rate it takes in place of <see cref="LearningRate"/>.</summary>
    public string TunedAs { get; init; } = Reference;

    /// <summary>What all others are compared with.</summary>
    public const string Reference = "F32, APOLLO-Mini";

    /// <summary>Learning rates that an optimizer is tuned over.</summary>
    public static IReadOnlyList<(string Optimizer, Func<TrainingOptions, TrainingOptions> Apply, double[] Rates)> Tuning { get; } =
    [
        ("F32, AdamW", options => Optimizer(options, OptimizerKind.AdamW), [0.0005, 0.001, 0.002, 0.004, 0.008]),
        (Reference, options => options, [0.0025, 0.005, 0.01, 0.02, 0.04]),
        ("F32, APOLLO", options => Optimizer(options, OptimizerKind.Apollo), [0.0025, 0.005, 0.01, 0.02, 0.04]),
        ("F32, SCALE", options => Optimizer(options, OptimizerKind.Scale), [0.0005, 0.001, 0.002, 0.004, 0.008]),
        ("F32, SinkGD", options => Normalized(options, OptimizerKind.SinkGd), [0.005, 0.01, 0.02, 0.04, 0.08, 0.16]),
        ("F32, RACS", options => Normalized(options, OptimizerKind.Racs), [0.01, 0.02, 0.04, 0.08, 0.16]),
    ];

    /// <summary>In the order of importance: whatever time allows is a whole table of the first ones.</summary>
    public static IReadOnlyList<Setting> All { get; } =
    [
        new(Reference, 0.01, options => options),
        new("INT8", 0.01, options => Int8(options)),
        new("INT8 + 4", 0.01, options => Int8(options, residualBits: 4)),
        new("INT8 + 8", 0.01, options => Int8(options, residualBits: 8)),
        new("INT8, stochastic, regrid always", 0.01, options => Int8(options) with { Quantization = new QuantizationOptions(RoundingMode.Stochastic, RegridMode.Always) }),
        new("INT8, groups of 32", 0.01, options => Int8(options, groupSize: 32)),
        new("INT8, groups of 64", 0.01, options => Int8(options, groupSize: 64)),
        new("INT8, stochastic", 0.01, options => Int8(options) with { Quantization = new QuantizationOptions(RoundingMode.Stochastic) }),
        new("INT8, nearest", 0.01, options => Int8(options) with { Quantization = new QuantizationOptions(RoundingMode.Nearest) }),
        new("INT8 + 4, gradients BF16", 0.01, options => With(Int8(options, residualBits: 4), memory => memory with { GradientDType = DType.BF16 })),
        new("INT8 + 4, embedding and head BF16", 0.01, options => EmbeddingAndHead(Int8(options, residualBits: 4), WeightFormat.BF16)),
        new("INT8 + 4, embedding and head INT8", 0.01, options => EmbeddingAndHead(Int8(options, residualBits: 4), WeightFormat.Int8)),
        Tuned("F32, AdamW", "F32, AdamW", options => Optimizer(options, OptimizerKind.AdamW)),
        Tuned("INT8 + 4, SCALE", "F32, SCALE", options => Optimizer(Int8(options, residualBits: 4), OptimizerKind.Scale)),
        Tuned("INT8 + 4, SinkGD", "F32, SinkGD", options => Normalized(Int8(options, residualBits: 4), OptimizerKind.SinkGd)),
        Tuned("INT8 + 4, RACS", "F32, RACS", options => Normalized(Int8(options, residualBits: 4), OptimizerKind.Racs)),
        Tuned("INT8 + 4, APOLLO", "F32, APOLLO", options => Optimizer(Int8(options, residualBits: 4), OptimizerKind.Apollo)),
        Tuned("F32, SCALE", "F32, SCALE", options => Optimizer(options, OptimizerKind.Scale)),
        Tuned("F32, SinkGD", "F32, SinkGD", options => Normalized(options, OptimizerKind.SinkGd)),
        Tuned("F32, RACS", "F32, RACS", options => Normalized(options, OptimizerKind.Racs)),
        Tuned("F32, APOLLO", "F32, APOLLO", options => Optimizer(options, OptimizerKind.Apollo)),
        Tuned("INT8 + 4, SinkGD, 1 round", "F32, SinkGD", options => Normalized(Int8(options, residualBits: 4), OptimizerKind.SinkGd, rounds: 1)),
        Tuned("INT8 + 4, SinkGD, 2 rounds", "F32, SinkGD", options => Normalized(Int8(options, residualBits: 4), OptimizerKind.SinkGd, rounds: 2)),
        Tuned("INT8 + 4, RACS, 1 round", "F32, RACS", options => Normalized(Int8(options, residualBits: 4), OptimizerKind.Racs, rounds: 1)),
        Tuned("INT8 + 4, RACS, 2 rounds", "F32, RACS", options => Normalized(Int8(options, residualBits: 4), OptimizerKind.Racs, rounds: 2)),
        Tuned("INT8 + 4, AdamW, 8-bit moments", "F32, AdamW", options => Optimizer(Int8(options, residualBits: 4), OptimizerKind.AdamW8Bit)),
    ];

    /// <summary>With the rate of the least mean loss, as far as every rate was tried with as many seeds; before, with its own, and null where it has none.</summary>
    /// <param name="results">Of one study, tuning seeds only.</param>
    public Setting? WithTunedRate(IReadOnlyList<StudyResult> results)
    {
        double[] rates = Tuning.Single(tuned => tuned.Optimizer == TunedAs).Rates;
        var byRate = rates.ToDictionary(rate => rate, rate => results.Where(result => result.Setting == TunedAs && result.LearningRate == rate).ToArray());
        int seeds = byRate.Values.Max(runs => runs.Length);
        return seeds == 0 || byRate.Values.Any(runs => runs.Length < seeds)
            ? (double.IsNaN(LearningRate) ? null : this)
            : this with { LearningRate = byRate.MinBy(entry => entry.Value.Average(run => run.Loss)).Key };
    }

    private static Setting Tuned(string name, string tunedAs, Func<TrainingOptions, TrainingOptions> apply) => new(name, double.NaN, apply) { TunedAs = tunedAs };

    private static TrainingOptions Int8(TrainingOptions options, int groupSize = 128, int residualBits = 0) =>
        With(options, memory => memory with { Weights = memory.Weights with { Matrices = WeightFormat.Int8, GroupSize = groupSize, ResidualBits = residualBits } });

    private static TrainingOptions EmbeddingAndHead(TrainingOptions options, WeightFormat format) =>
        With(options, memory => memory with { Weights = memory.Weights with { EmbeddingAndHead = format } });

    private static TrainingOptions Optimizer(TrainingOptions options, OptimizerKind kind) => options with { Optimizer = options.Optimizer with { Kind = kind } };

    /// <param name="rounds">As published, unless the setting's name says otherwise.</param>
    private static TrainingOptions Normalized(TrainingOptions options, OptimizerKind kind, int rounds = 5) =>
        options with { Optimizer = options.Optimizer with { Kind = kind, NormalizationRounds = rounds } };

    private static TrainingOptions With(TrainingOptions options, Func<MemoryOptions, MemoryOptions> change) => options with { Memory = change(options.Memory) };
}
