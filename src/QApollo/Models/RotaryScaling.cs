namespace QApollo.Models;

/// <summary>How rotary frequencies are changed for sequences longer than those of the first training.</summary>
public enum RotaryScalingKind
{
    /// <summary>All frequencies divided by the factor (position interpolation, arXiv 2306.15595).</summary>
    Linear = 0,

    /// <summary>Llama 3.1's rule: long waves are divided by the factor, short ones stay, those between are blended.</summary>
    Llama3,

    /// <summary>YaRN (arXiv 2309.00071): as Llama 3.1's rule along the dimensions, and queries and keys grow a little.</summary>
    Yarn,
}

/// <summary>Scaled rotary frequencies, in the words of Hugging Face's <c>rope_scaling</c> and <c>rope_parameters</c>.</summary>
public sealed record RotaryScaling
{
    public required RotaryScalingKind Kind { get; init; }

    /// <summary>How much longer sequences became; 1 or more.</summary>
    public required double Factor { get; init; }

    /// <summary>Positions of the first training; not for <see cref="RotaryScalingKind.Linear"/>.</summary>
    public int OriginalMaxPositionEmbeddings { get; init; }

    /// <summary>Llama 3.1: waves longer than original positions / this are divided by the factor.</summary>
    public double LowFreqFactor { get; init; } = 1;

    /// <summary>Llama 3.1: waves shorter than original positions / this stay.</summary>
    public double HighFreqFactor { get; init; } = 4;

    /// <summary>YaRN: dimensions that turn at least so often over the original positions stay.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>YaRN: dimensions that turn less often are divided by the factor.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>YaRN: multiplies cos and sin, so that scores grow by its square; 1 for the other kinds.</summary>
    public double AttentionFactor { get; init; } = 1;

    /// <summary>YaRN: the limits between its dimensions are whole numbers.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>YaRN's own choice of <see cref="AttentionFactor"/> (its equation 22): 0.1 m ln(factor) + 1.</summary>
    /// <param name="scale">m: 1 in the paper; DeepSeek's configurations give others.</param>
    public static double YarnAttentionFactor(double factor, double scale = 1) => factor <= 1 ? 1 : (0.1 * scale * Math.Log(factor)) + 1;
}
