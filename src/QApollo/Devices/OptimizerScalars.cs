using QApollo.Quantization;

namespace QApollo.Devices;

/// <summary>Where the Adam bias correction c2/c1 = sqrt(1 - b2^t) / (1 - b1^t) acts.</summary>
public enum BiasCorrection
{
    /// <summary>
    /// In the step size: D = M / (sqrt(V) + eps), W -= lr * c2/c1 * D (the published APOLLO and its AdamW group).
    /// </summary>
    StepSize = 0,

    /// <summary>
    /// In the direction: D = c2/c1 * M / (sqrt(V) + eps * c2), W -= lr * D (torch.optim.AdamW; the published
    /// quantized APOLLO, where the limiter then sees the correction).
    /// </summary>
    Direction = 1,
}

/// <summary>Scalars of an Adam moment update at update number t = 1, 2, ...</summary>
/// <param name="OneMinusBeta1">1 - b1, formed in binary64: 1 - 0.999 in binary32 is off by 5e-5 of itself.</param>
/// <param name="OneMinusBeta2">1 - b2, formed in binary64.</param>
/// <param name="Correction1">c1 = 1 - b1^t, formed in binary64.</param>
/// <param name="Correction2">c2 = sqrt(1 - b2^t), formed in binary64.</param>
public readonly record struct AdamScalars(
    float Beta1, float Beta2, float OneMinusBeta1, float OneMinusBeta2, float Epsilon, float Correction1, float Correction2, BiasCorrection BiasCorrection);

/// <summary>Scalars of <see cref="IDevice.ApolloScale"/>.</summary>
/// <param name="StepSize">lr, times c2/c1 when the bias correction acts in the step size.</param>
/// <param name="ScaleRoot">sqrt(scale): sqrt(128) for APOLLO-Mini.</param>
/// <param name="ScaleFront">Multiply by <paramref name="ScaleRoot"/> before the limiter instead of after it.</param>
/// <param name="UseLimiter">Limit the growth of the update's norm to <see cref="LimiterGrowth"/> per update.</param>
/// <param name="StoreOnly">The limiter only stores the norm: the first update of the parameter.</param>
/// <param name="KeepZeroNorm">
/// Treat a stored norm of zero as a norm to limit against, as the published code does (one all-zero gradient then
/// freezes the matrix). Otherwise a stored zero counts as none: the update only stores.
/// </param>
/// <param name="TensorWise">One factor for the matrix (APOLLO-Mini) instead of one per channel (APOLLO).</param>
public readonly record struct ApolloScalars(
    AdamScalars Adam, float StepSize, float ScaleRoot, bool ScaleFront, bool UseLimiter, bool StoreOnly, bool KeepZeroNorm, bool TensorWise)
{
    /// <summary>The norm-growth limiter's bound (Fira, arXiv 2410.01623; kept by APOLLO).</summary>
    public const float LimiterGrowth = 1.01f;

    /// <summary>Added to every denominator of factor and limiter.</summary>
    public const float NormEpsilon = 1e-8f;
}

/// <summary>To what power <see cref="IDevice.ChannelFactors"/> raises a value.</summary>
public enum FactorPower
{
    One = 0,
    Root = 1,
    Reciprocal = 2,
    ReciprocalRoot = 3,
}

/// <summary>Scalars of <see cref="IDevice.ChannelFactors"/>.</summary>
/// <param name="Scale">Multiplies the power.</param>
/// <param name="Floor">Smaller values count as this.</param>
/// <param name="Decay">Of the factors that are there, 0 to 1; 0 to overwrite them.</param>
public readonly record struct FactorScalars(float Scale, FactorPower Power, float Floor = 0, float Decay = 0);

/// <summary>Along which axis of a gradient [m, n] an update coefficient varies.</summary>
public enum ChannelAxis
{
    /// <summary>One coefficient for the matrix.</summary>
    None = 0,

    /// <summary>One per row (m &gt;= n, projected from the right).</summary>
    Rows = 1,

    /// <summary>One per column (m &lt; n, projected from the left).</summary>
    Columns = 2,
}

/// <summary>How <see cref="IDevice.ApplyUpdate"/> rewrites a weight.</summary>
/// <param name="Decay">1 - lr * weight decay; 1 for none.</param>
/// <param name="DecayFirst">Decay the old weight (torch.optim.AdamW) instead of the updated one (the published APOLLO).</param>
/// <param name="FirstRow">Number of the first row when the weight is a row range of a parameter: random numbers are indexed by the element in the whole parameter.</param>
/// <param name="Seed">The run's seed.</param>
/// <param name="Parameter">The parameter's number.</param>
/// <param name="Step">The update's number, 1, 2, ...</param>
public readonly record struct UpdateScalars(
    float Decay, bool DecayFirst, RoundingMode Rounding, RegridMode Regrid, int FirstRow, ulong Seed, uint Parameter, uint Step)
{
    /// <summary>The stream that rounding draws from.</summary>
    public RandomStream RoundingStream => Rounding == RoundingMode.LowDiscrepancy
        ? new RandomStream(Seed, RandomPurpose.LowDiscrepancyRounding, Parameter, 0)
        : new RandomStream(Seed, RandomPurpose.StochasticRounding, Parameter, Step);

    /// <summary>Added modulo 2^32 to every word of <see cref="RoundingStream"/>.</summary>
    public uint RoundingOffset => Rounding == RoundingMode.LowDiscrepancy ? unchecked(Step * 0x9E3779B9u) : 0;
}
