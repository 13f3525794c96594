namespace QApollo.Quantization;

/// <summary>How a value in the code domain becomes an integer code.</summary>
public enum RoundingMode
{
    /// <summary>Half to even; biased over steps: updates smaller than half a code are lost.</summary>
    Nearest = 0,

    /// <summary>floor(x) + (u &lt; frac(x)), u from stream (seed, StochasticRounding, parameter, step) at the element.</summary>
    Stochastic = 1,

    /// <summary>
    /// As <see cref="Stochastic"/>, with u = frac(hash + step * golden ratio): word e of stream (seed,
    /// LowDiscrepancyRounding, parameter, 0) plus step * 0x9E3779B9 modulo 2^32, upper 24 bits. Over the steps
    /// the thresholds of one element fill [0, 1) evenly (Weyl sequence), so errors cancel sooner.
    /// </summary>
    LowDiscrepancy = 2,
}

/// <summary>When the grid (scale, zero point) of a group is rebuilt at an update.</summary>
public enum RegridMode
{
    /// <summary>Keep the grid while the new values stay inside it and fill enough of it.</summary>
    WhenNeeded = 0,

    /// <summary>Rebuild the grid of every changed group at every update.</summary>
    Always = 1,
}

/// <summary>How stored weights are updated.</summary>
public sealed record QuantizationOptions(
    RoundingMode Rounding = RoundingMode.LowDiscrepancy, RegridMode Regrid = RegridMode.WhenNeeded);
