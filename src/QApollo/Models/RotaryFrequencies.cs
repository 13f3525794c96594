namespace QApollo.Models;

/// <summary>The D/2 angles by which a position turns the pairs of a head's features, in binary64.</summary>
public static class RotaryFrequencies
{
    /// <summary>theta^(-2i / D), i = 0 .. D/2 - 1, scaled as the configuration says.</summary>
    /// <returns>[D/2] radians per position, falling.</returns>
    public static double[] Of(LlamaConfig config)
    {
        double[] frequencies = Unscaled(config);
        switch (config.RopeScaling)
        {
            case null:
                break;
            case { Kind: RotaryScalingKind.Linear } scaling:
                for (int i = 0; i < frequencies.Length; i++)
                {
                    frequencies[i] /= scaling.Factor;
                }

                break;
            case { Kind: RotaryScalingKind.Llama3 } scaling:
                for (int i = 0; i < frequencies.Length; i++)
                {
                    frequencies[i] = Llama3(frequencies[i], scaling);
                }

                break;
            case { Kind: RotaryScalingKind.Yarn } scaling:
                (double low, double high) = YarnLimits(config, scaling);
                for (int i = 0; i < frequencies.Length; i++)
                {
                    double interpolated = Math.Clamp((i - low) / (high - low), 0, 1);
                    frequencies[i] = (frequencies[i] / scaling.Factor * interpolated) + (frequencies[i] * (1 - interpolated));
                }

                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(config), config.RopeScaling.Kind, "unknown rotary scaling");
        }

        return frequencies;
    }

    /// <summary>theta^(-2i / D) (RoFormer, arXiv 2104.09864).</summary>
    /// <returns>[D/2].</returns>
    public static double[] Unscaled(LlamaConfig config)
    {
        var frequencies = new double[config.HeadDim / 2];
        for (int i = 0; i < frequencies.Length; i++)
        {
            frequencies[i] = Math.Pow(config.RopeTheta, -2.0 * i / config.HeadDim);
        }

        return frequencies;
    }

    /// <summary>Blends between frequency / factor and frequency by how many waves the original positions hold.</summary>
    private static double Llama3(double frequency, RotaryScaling scaling)
    {
        double waves = scaling.OriginalMaxPositionEmbeddings * frequency / (2 * Math.PI);
        double kept = Math.Clamp((waves - scaling.LowFreqFactor) / (scaling.HighFreqFactor - scaling.LowFreqFactor), 0, 1);
        return ((1 - kept) * frequency / scaling.Factor) + (kept * frequency);
    }

    /// <summary>
    /// The dimensions between which YaRN blends: those that turn BetaFast and BetaSlow times over the original positions.
    /// </summary>
    private static (double Low, double High) YarnLimits(LlamaConfig config, RotaryScaling scaling)
    {
        double Dimension(double turns) =>
            config.HeadDim * Math.Log(scaling.OriginalMaxPositionEmbeddings / (turns * 2 * Math.PI)) / (2 * Math.Log(config.RopeTheta));
        double low = Dimension(scaling.BetaFast);
        double high = Dimension(scaling.BetaSlow);
        if (scaling.Truncate)
        {
            (low, high) = (Math.Floor(low), Math.Ceiling(high));
        }

        low = Math.Max(low, 0);
        high = Math.Min(high, config.HeadDim - 1);

        // As Hugging Face does where both fall on one dimension.
        return (low, high == low ? high + 0.001 : high);
    }
}
