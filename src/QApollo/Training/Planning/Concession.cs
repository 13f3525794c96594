using QApollo.Devices;
using QApollo.Models;
using QApollo.Optimizers;

namespace QApollo.Training.Planning;

/// <summary>One thing to give up for memory.</summary>
/// <param name="Name">What changes.</param>
/// <param name="Cost">What it costs, in words.</param>
/// <param name="Apply">The options with it; null where there is nothing (more) to give up.</param>
/// <param name="ExtraWork">What it adds to the step's arithmetic, as a share of it, where that is all that it costs; else null.</param>
public sealed record Concession(
    MemoryChoice Choice, string Name, string Cost, Func<TrainingOptions, DeviceProfile, TrainingOptions?> Apply, Func<TrainingOptions, double>? ExtraWork = null);

/// <summary>
/// The concessions in the order in which they cost quality and speed the least: first those that only move or repeat
/// work, then those that round more: the head's moments; residual bits, a layer at a time, the last layer
/// first (docs/residual-bits.md); gradients; the head itself. The last is the one that asks most of the rest of the machine:
/// all layers in host memory.
/// </summary>
public static class ConcessionLadder
{
    /// <summary>Below this a product with the head is too thin for the device.</summary>
    private const int SmallestLogitChunk = 64;

    private const int LargestVocabularySlice = 4096;
    private const int VocabularySlices = 8;

    public static IReadOnlyList<Concession> All { get; } =
    [
        new(MemoryChoice.Overlap, "gradients of fewer matrices under way between ranks", "less of the exchange between ranks hides behind the computation", Overlap),
        new(
            MemoryChoice.VocabularySlice, "vocabulary gradients in slices", "one more product with the head per step", SliceVocabulary, HeadProductShare),
        new(MemoryChoice.LogitChunk, "logits in smaller chunks", "smaller products with the head", HalveLogitChunk),
        new(MemoryChoice.Boundaries, "layer inputs in pinned host memory", "copies beside the computation, and host memory", MoveBoundaries),
        new(MemoryChoice.Expansions, "no dequantized copies of a layer", "a layer is dequantized for each micro-batch anew", DropExpansions),
        new(
            MemoryChoice.MicroBatch, "smaller micro-batches, more of them", "smaller products; the update stays the same", SplitMicroBatch),
        new(
            MemoryChoice.HeadOptimizer, "8-bit AdamW for embedding and head", "moments rounded to 8 bits", UseEightBitMoments),
        new(
            MemoryChoice.ResidualLayers, "residual bits in fewer layers", "updates of a layer's matrices rounded to whole codes", DropResiduals),
        new(MemoryChoice.GradientDType, "BF16 gradients", "gradients of weights in BF16 instead of F32, with 8 instead of 24 bits of mantissa", UseBFloatGradients),
        new(MemoryChoice.HeadWeights, "INT8 embedding and head", "embedding and head rounded to 8-bit groups", QuantizeHead),
        new(
            MemoryChoice.Layers, "layers in pinned host memory", "copies beside the computation, which hide behind many tokens per update only, and host memory",
            MoveLayers),
    ];

    private static TrainingOptions? Overlap(TrainingOptions options, DeviceProfile profile) =>
        options.Ranks > 1 && options.Memory.Overlap != GradientOverlap.Off
            ? options with { Memory = options.Memory with { Overlap = options.Memory.Overlap - 1 } }
            : null;

    private static TrainingOptions? DropExpansions(TrainingOptions options, DeviceProfile profile)
    {
        int hidden = options.Model.HiddenSize;
        bool hasThem = options.Memory.ExpandWeights && profile.ExpandedWeightBytes(hidden, hidden, WeightUse.Forward) > 0;
        return hasThem ? options with { Memory = options.Memory with { ExpandWeights = false } } : null;
    }

    private static TrainingOptions? SliceVocabulary(TrainingOptions options, DeviceProfile profile)
    {
        int vocabulary = options.Model.VocabSize;
        bool isWhole = options.Memory.VocabularySlice <= 0 || options.Memory.VocabularySlice >= vocabulary;
        bool canSlice = !options.Model.TieWordEmbeddings && vocabulary > VocabularySlices
            && options.Optimizer.EmbeddingAndHeadKind is OptimizerKind.AdamW or OptimizerKind.AdamW8Bit or OptimizerKind.Sgd;
        int rows = Math.Min(LargestVocabularySlice, (vocabulary + VocabularySlices - 1) / VocabularySlices);
        return isWhole && canSlice ? options with { Memory = options.Memory with { VocabularySlice = rows } } : null;
    }

    /// <summary>A product of the head beside its three, and four with each matrix: forward, again in the backward pass, and two gradients.</summary>
    private static double HeadProductShare(TrainingOptions options)
    {
        double head = (double)options.Model.VocabSize * options.Model.HiddenSize;
        return head / ((4 * (options.Model.ParameterCount - (2 * head))) + (3 * head));
    }

    private static TrainingOptions? HalveLogitChunk(TrainingOptions options, DeviceProfile profile)
    {
        int chunk = TrainingLayout.ChunkTokens(options, profile);
        return chunk > SmallestLogitChunk
            ? options with { Memory = options.Memory with { LogitChunk = Math.Max(SmallestLogitChunk, chunk / 2) } }
            : null;
    }

    private static TrainingOptions? MoveBoundaries(TrainingOptions options, DeviceProfile profile) =>
        options.Memory.Boundaries == MemorySpace.Device
            ? options with { Memory = options.Memory with { Boundaries = MemorySpace.PinnedHost } }
            : null;

    private static TrainingOptions? SplitMicroBatch(TrainingOptions options, DeviceProfile profile)
    {
        StepShape shape = options.Shape;
        for (int parts = 2; parts <= shape.BatchSize; parts++)
        {
            if (shape.BatchSize % parts == 0 && shape.GradAccum <= StepShape.MaxGradAccum / parts)
            {
                return options with { Shape = shape with { BatchSize = shape.BatchSize / parts, GradAccum = shape.GradAccum * parts } };
            }
        }

        return null;
    }

    private static TrainingOptions? UseEightBitMoments(TrainingOptions options, DeviceProfile profile) =>
        options.Optimizer.EmbeddingAndHeadKind == OptimizerKind.AdamW
            ? options with { Optimizer = options.Optimizer with { EmbeddingAndHead = OptimizerKind.AdamW8Bit } }
            : null;

    private static TrainingOptions? DropResiduals(TrainingOptions options, DeviceProfile profile)
    {
        int layers = options.Memory.Weights.LayersWithResiduals(options.Model);
        return layers > 0
            ? options with { Memory = options.Memory with { Weights = options.Memory.Weights with { ResidualLayers = layers - 1 } } }
            : null;
    }

    private static TrainingOptions? UseBFloatGradients(TrainingOptions options, DeviceProfile profile) =>
        options.Memory.GradientDType == DType.F32 ? options with { Memory = options.Memory with { GradientDType = DType.BF16 } } : null;

    private static TrainingOptions? MoveLayers(TrainingOptions options, DeviceProfile profile) =>
        options.Memory.Layers.Space == MemorySpace.Device && !profile.ComputesInHostMemory
            ? options with { Memory = options.Memory with { Layers = new LayerPlacement(MemorySpace.PinnedHost) } }
            : null;

    private static TrainingOptions? QuantizeHead(TrainingOptions options, DeviceProfile profile) =>
        options.Memory.Weights.EmbeddingAndHead != WeightFormat.Int8
            ? options with { Memory = options.Memory with { Weights = options.Memory.Weights with { EmbeddingAndHead = WeightFormat.Int8 } } }
            : null;
}
