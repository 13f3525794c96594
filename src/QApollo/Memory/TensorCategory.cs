using System.Text.Json;

namespace QApollo.Memory;

/// <summary>What a tensor is for; the lines of every memory report.</summary>
public enum TensorCategory
{
    /// <summary>Attention and MLP matrices: INT8 codes, or dense values.</summary>
    Codes,

    /// <summary>Scales and zero points of those matrices.</summary>
    Scales,

    /// <summary>Low bits beside the codes of those matrices.</summary>
    Residuals,

    /// <summary>Token embedding and head, with scales and zero points where they are INT8.</summary>
    EmbeddingAndHead,

    /// <summary>RMSNorm weights and biases.</summary>
    Norms,

    /// <summary>Optimizer state.</summary>
    Optimizer,

    /// <summary>Gradient scratch.</summary>
    Gradients,

    /// <summary>Activations of the one layer that is computed or recomputed.</summary>
    Activations,

    /// <summary>Layer inputs kept from the forward to the backward pass.</summary>
    Boundaries,

    /// <summary>One chunk of logits and its row statistics.</summary>
    Logits,

    /// <summary>Scratch of the operations: expanded weights, partial sums, projections.</summary>
    Workspace,

    /// <summary>Tokens, labels, tables, statistics, and buffers for copies between spaces.</summary>
    Staging,

    /// <summary>Buffers through which gradients travel between ranks.</summary>
    Exchange,
}

public static class TensorCategories
{
    public static IReadOnlyList<TensorCategory> All { get; } = Enum.GetValues<TensorCategory>();

    /// <summary>The key in `qapollo plan --json`.</summary>
    public static string JsonName(this TensorCategory category) => JsonNamingPolicy.CamelCase.ConvertName(category.ToString());
}
