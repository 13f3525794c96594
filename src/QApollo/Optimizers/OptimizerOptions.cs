using QApollo.Devices;

namespace QApollo.Optimizers;

/// <summary>The update rule of a weight.</summary>
public enum OptimizerKind
{
    /// <summary>APOLLO-Mini (arXiv 2412.05270): rank-1 projection, one scaling factor per matrix.</summary>
    ApolloMini,

    /// <summary>APOLLO (arXiv 2412.05270): rank-r projection, one scaling factor per channel.</summary>
    Apollo,

    /// <summary>Adam with decoupled weight decay (arXiv 1711.05101), F32 moments.</summary>
    AdamW,

    /// <summary>AdamW with block-wise 8-bit moments (arXiv 2110.02861).</summary>
    AdamW8Bit,

    /// <summary>W -= lr * G.</summary>
    Sgd,

    /// <summary>SCALE (arXiv 2506.16659): column-normalized gradients, averaged over updates for the head alone.</summary>
    Scale,

    /// <summary>SinkGD (arXiv 2502.06742): gradients normalized by rows and columns in turn; no state.</summary>
    SinkGd,

    /// <summary>RACS (arXiv 2502.07752): gradients scaled by a vector over rows and one over columns.</summary>
    Racs,
}

/// <summary>Update rules and their constants.</summary>
public sealed record OptimizerOptions
{
    /// <summary>Update rule of attention and MLP matrices.</summary>
    public OptimizerKind Kind { get; init; } = OptimizerKind.ApolloMini;

    /// <summary>
    /// Update rule of embedding and head: AdamW, AdamW8Bit, Sgd or Scale. By default that of the matrices, and AdamW
    /// beside the APOLLO family, SinkGD and RACS. Norms and biases follow it too, with F32 moments; AdamW beside Scale.
    /// </summary>
    public OptimizerKind? EmbeddingAndHead { get; init; }

    /// <summary>SinkGD's and RACS's factor beside the learning rate, as published: embedding, head and norms use the rate as it is.</summary>
    public const float NormalizedScale = 0.05f;

    /// <summary>Decay of the first moment, of the average of SCALE's last layer, and of RACS's vectors.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the second moment.</summary>
    public double Beta2 { get; init; } = 0.999;

    public float Epsilon { get; init; } = 1e-6f;

    /// <summary>Decoupled weight decay: W -= lr * decay * W.</summary>
    public float WeightDecay { get; init; }

    /// <summary>Decay before the update, as torch.optim.AdamW does, instead of after it.</summary>
    public bool DecayFirst { get; init; }

    public BiasCorrection BiasCorrection { get; init; } = BiasCorrection.StepSize;

    /// <summary>Rank of APOLLO's projection; APOLLO-Mini's is 1. A matrix whose smaller side is less uses that.</summary>
    public int Rank { get; init; } = 256;

    /// <summary>
    /// APOLLO's scale; its square root multiplies the update. By default 128 for APOLLO-Mini, 1 for APOLLO. SCALE, SinkGD and RACS
    /// multiply the update by it as it is: 1, <see cref="NormalizedScale"/> and that.
    /// </summary>
    public float? Scale { get; init; }

    /// <summary>
    /// Rounds of SinkGD's normalization and of RACS's fixed point, 1 or more: two passes over a gradient each. Published are 5; 2 end
    /// as well (docs/quality.md).
    /// </summary>
    public int NormalizationRounds { get; init; } = 2;

    /// <summary>Multiply by sqrt(scale) before the norm-growth limiter instead of after it.</summary>
    public bool ScaleFront { get; init; }

    /// <summary>Limit the growth of an update's norm to 1 % per step.</summary>
    public bool UseLimiter { get; init; } = true;

    /// <summary>Limit against a stored norm of zero too, as the published code does.</summary>
    public bool KeepZeroNorm { get; init; }

    /// <summary>Updates between two redraws of a projection.</summary>
    public int UpdateProjectionGap { get; init; } = 200;

    /// <summary>
    /// The decay of a second moment that forgets half after so many tokens, whatever the batch: b2 = 2^(-tokens per update /
    /// half-life) (arXiv 2507.07101: held in tokens, it need not be tuned anew for small batches).
    /// </summary>
    /// <param name="halfLife">In tokens, above 0.</param>
    /// <param name="tokensPerUpdate">Above 0.</param>
    public static double Beta2Of(long halfLife, long tokensPerUpdate) => Math.Pow(0.5, tokensPerUpdate / (double)halfLife);

    public OptimizerKind EmbeddingAndHeadKind =>
        EmbeddingAndHead ?? (Kind is OptimizerKind.ApolloMini or OptimizerKind.Apollo or OptimizerKind.SinkGd or OptimizerKind.Racs ? OptimizerKind.AdamW : Kind);
}
