using QApollo.Devices;
using QApollo.Models;

namespace QApollo.Training;

/// <summary>The choices that trade memory for time or precision. The planner makes them under a budget; each can be set by hand.</summary>
public sealed record MemoryOptions
{
    /// <summary>F32 or BF16: element type of the gradient scratch.</summary>
    public DType GradientDType { get; init; } = DType.F32;

    /// <summary>F32 or BF16: element type that gradients travel in between ranks.</summary>
    public DType WireDType { get; init; } = DType.F32;

    /// <summary>
    /// How far the computation goes on while gradients are summed over the ranks; nothing for one rank. Layers that do not stay on the
    /// device leave it updated, so that theirs is <see cref="GradientOverlap.Matrix"/> at most. The results are the same.
    /// </summary>
    public GradientOverlap Overlap { get; init; } = GradientOverlap.Layer;

    /// <summary>Where layer inputs wait for the backward pass.</summary>
    public MemorySpace Boundaries { get; init; } = MemorySpace.Device;

    /// <summary>How they are kept until then. Rounds what layers are recomputed from, not the forward pass.</summary>
    public BoundaryFormat BoundaryFormat { get; init; } = BoundaryFormat.Activations;

    /// <summary>Where the layers' matrices wait between their uses.</summary>
    public LayerPlacement Layers { get; init; } = LayerPlacement.OnDevice;

    /// <summary>Tokens whose logits exist at a time; 0 for at most 1024, or 64 MiB of logits, whichever is less.</summary>
    public int LogitChunk { get; init; }

    /// <summary>
    /// Vocabulary rows of embedding and head whose gradient exists at a time; 0 for all. Slices of the head cost one more
    /// product with the head; slices of the embedding cost nothing. A tied table is never sliced.
    /// </summary>
    public int VocabularySlice { get; init; }

    /// <summary>
    /// Keep the matrices of the layer that is computed dequantized for all micro-batches of its pass, where there are several
    /// and the device gains from it.
    /// </summary>
    public bool ExpandWeights { get; init; } = true;

    public WeightFormats Weights { get; init; } = new();
}
