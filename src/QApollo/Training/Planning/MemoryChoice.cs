using QApollo.Devices;
using QApollo.Models;
using QApollo.Optimizers;

namespace QApollo.Training.Planning;

/// <summary>What the planner may decide; a choice that the user made is pinned.</summary>
public enum MemoryChoice
{
    Overlap,
    MicroBatch,
    Expansions,
    Boundaries,
    LogitChunk,
    VocabularySlice,
    GradientDType,
    HeadOptimizer,
    HeadWeights,
    ResidualLayers,
    Layers,
}

/// <summary>A decided option as a user would type it.</summary>
/// <param name="Option">"--grad-accum".</param>
/// <param name="Key">Its key in run.json and in the plan's JSON: "gradAccum".</param>
public readonly record struct ChosenOption(MemoryChoice Choice, string Option, string Key, string Value)
{
    public override string ToString() => $"{Option} {Value}";
}

public static class MemoryChoices
{
    /// <summary>The values that the options have for every choice, with defaults resolved for the device.</summary>
    public static IReadOnlyList<ChosenOption> Of(TrainingOptions options, DeviceProfile profile) =>
    [
        new(MemoryChoice.MicroBatch, "--batch-size", "batchSize", Text(options.Shape.BatchSize)),
        new(MemoryChoice.MicroBatch, "--grad-accum", "gradAccum", Text(options.Shape.GradAccum)),
        new(MemoryChoice.Expansions, "--expand-weights", "expandWeights", options.Memory.ExpandWeights ? "on" : "off"),
        new(MemoryChoice.Boundaries, "--boundaries", "boundaries", options.Memory.Boundaries == MemorySpace.Device ? "device" : "host"),
        .. Boundaries(options.Memory.BoundaryFormat),
        new(MemoryChoice.LogitChunk, "--logit-chunk", "logitChunk", Text(TrainingLayout.ChunkTokens(options, profile))),
        new(MemoryChoice.VocabularySlice, "--vocabulary-slice", "vocabularySlice", Text(options.Memory.VocabularySlice)),
        new(MemoryChoice.GradientDType, "--grad-dtype", "gradDtype", options.Memory.GradientDType == DType.F32 ? "f32" : "bf16"),
        new(MemoryChoice.HeadOptimizer, "--head-optimizer", "headOptimizer", Text(options.Optimizer.EmbeddingAndHeadKind)),
        new(MemoryChoice.HeadWeights, "--head-weights", "headWeights", Text(options.Memory.Weights.EmbeddingAndHead)),
        new(MemoryChoice.ResidualLayers, "--residual-bits", "residualBits", Text(options.Memory.Weights.ResidualBits)),
        new(MemoryChoice.ResidualLayers, "--residual-layers", "residualLayers", Text(options.Memory.Weights.LayersWithResiduals(options.Model))),
        .. Layers(options.Memory.Layers),
        .. Overlap(options),
    ];

    /// <summary>Told where layer inputs are not kept as they are computed: only the user decides that.</summary>
    private static ChosenOption[] Boundaries(BoundaryFormat format) => format == BoundaryFormat.Activations
        ? []
        : [new(MemoryChoice.Boundaries, "--boundary-dtype", "boundaryDtype", format switch { BoundaryFormat.Int8 => "int8", BoundaryFormat.BF16 => "bf16", _ => "f32" })];

    /// <summary>The slots are told where layers pass through them.</summary>
    private static ChosenOption[] Layers(LayerPlacement layers) => layers.Space == MemorySpace.Device
        ? [new(MemoryChoice.Layers, "--layers", "layers", "device")]
        : [
            new(MemoryChoice.Layers, "--layers", "layers", layers.Space == MemorySpace.Disk ? "disk" : "host"),
            new(MemoryChoice.Layers, "--layer-slots", "layerSlots", Text(layers.Slots)),
        ];

    /// <summary>Told where there are ranks to wait for.</summary>
    private static ChosenOption[] Overlap(TrainingOptions options) => options.Ranks == 1
        ? []
        : [new(MemoryChoice.Overlap, "--overlap", "overlap", options.Memory.Overlap switch { GradientOverlap.Off => "off", GradientOverlap.Matrix => "matrix", _ => "layer" })];

    private static string Text(int value) => value.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static string Text(OptimizerKind kind) => kind switch
    {
        OptimizerKind.AdamW => "adamw",
        OptimizerKind.AdamW8Bit => "adamw8bit",
        OptimizerKind.Sgd => "sgd",
        OptimizerKind.Scale => "scale",
        _ => kind.ToString(),
    };

    private static string Text(WeightFormat format) => format switch
    {
        WeightFormat.Int8 => "int8",
        WeightFormat.BF16 => "bf16",
        _ => "f32",
    };
}
