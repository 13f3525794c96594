namespace QApollo.Models;

/// <summary>
/// Reads base and scaling of the rotary frequencies from a config.json. Up to version 4 of transformers they are <c>rope_theta</c>
/// and <c>rope_scaling</c> (its kind under <c>rope_type</c>, or <c>type</c> in older files), from version 5 on both stand in
/// <c>rope_parameters</c>. A file may have both: then they must agree, because each reader takes another one.
/// </summary>
internal static class RotaryConfigReader
{
    private const double DefaultTheta = 10_000;

    private static readonly string[] Known =
    [
        "rope_type", "type", "rope_theta", "partial_rotary_factor", "factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor",
        "beta_fast", "beta_slow", "attention_factor", "mscale", "mscale_all_dim", "truncate",
    ];

    /// <param name="maxPositions">The model's, for scalings that say no original ones.</param>
    /// <exception cref="UsageException">A kind or key that is not supported, a value missing, or two that disagree.</exception>
    public static (double Theta, RotaryScaling? Scaling) Read(in ConfigValues root, int maxPositions)
    {
        ConfigValues? old = root.Object("rope_scaling");
        ConfigValues? parameters = root.Object("rope_parameters");
        double theta = Theta(root, old, parameters);
        RotaryScaling? scaling = old is { } first ? Scaling(first, root, maxPositions) : null;
        if (parameters is not { } second)
        {
            return (theta, scaling);
        }

        RotaryScaling? fromParameters = Scaling(second, root, maxPositions);
        if (old is not null && scaling != fromParameters)
        {
            throw root.Wrong("rope_scaling and rope_parameters disagree; keep the one that the model was trained with");
        }

        return (theta, fromParameters);
    }

    private static double Theta(in ConfigValues root, in ConfigValues? old, in ConfigValues? parameters)
    {
        double? found = null;
        foreach (ConfigValues? place in (ReadOnlySpan<ConfigValues?>)[root, old, parameters])
        {
            if (place is not { } values || !values.Has("rope_theta"))
            {
                continue;
            }

            double theta = values.Number("rope_theta");
            if (found is double other && other != theta)
            {
                throw root.Wrong($"rope_theta is {other} in one place and {theta} in another; keep the one that the model was trained with");
            }

            found = theta;
        }

        return found ?? DefaultTheta;
    }

    private static RotaryScaling? Scaling(in ConfigValues values, in ConfigValues root, int maxPositions)
    {
        foreach (string key in values.Keys)
        {
            if (!Known.Contains(key))
            {
                throw values.Wrong($"'{key}' is not known here; supported are {string.Join(", ", Known)}");
            }
        }

        if (values.Number("partial_rotary_factor", 1) != 1)
        {
            throw values.Wrong($"partial_rotary_factor is {values.Number("partial_rotary_factor")}; only 1 is supported");
        }

        string? type = values.Text("rope_type");
        string? oldType = values.Text("type");
        if (type is not null && oldType is not null && type != oldType)
        {
            throw values.Wrong($"rope_type is \"{type}\" and type is \"{oldType}\"; keep the one that the model was trained with");
        }

        return (type ?? oldType) switch
        {
            "default" => null,
            null when !values.Has("factor") => null,
            "linear" => new RotaryScaling { Kind = RotaryScalingKind.Linear, Factor = values.Number("factor") },
            "llama3" => new RotaryScaling
            {
                Kind = RotaryScalingKind.Llama3,
                Factor = values.Number("factor"),
                OriginalMaxPositionEmbeddings = OriginalPositions(values, root, maxPositions),
                LowFreqFactor = values.Number("low_freq_factor"),
                HighFreqFactor = values.Number("high_freq_factor"),
            },
            "yarn" => Yarn(values, root, maxPositions),
            null => throw values.Wrong("rope_type is missing; supported are \"default\", \"linear\", \"llama3\" and \"yarn\""),
            string other => throw values.Wrong($"rope_type is \"{other}\"; supported are \"default\", \"linear\", \"llama3\" and \"yarn\""),
        };
    }

    /// <summary>Version 4 of transformers took max_position_embeddings / original for the factor; the paper, version 5 and vLLM take the factor.</summary>
    private static RotaryScaling Yarn(in ConfigValues values, in ConfigValues root, int maxPositions)
    {
        double factor = values.Number("factor");
        double mscale = values.Number("mscale", 0);
        double mscaleAllDim = values.Number("mscale_all_dim", 0);
        double attention = mscale != 0 && mscaleAllDim != 0
            ? RotaryScaling.YarnAttentionFactor(factor, mscale) / RotaryScaling.YarnAttentionFactor(factor, mscaleAllDim)
            : RotaryScaling.YarnAttentionFactor(factor);
        return new RotaryScaling
        {
            Kind = RotaryScalingKind.Yarn,
            Factor = factor,
            OriginalMaxPositionEmbeddings = OriginalPositions(values, root, maxPositions),
            BetaFast = values.Number("beta_fast", 32),
            BetaSlow = values.Number("beta_slow", 1),
            AttentionFactor = values.Number("attention_factor", attention),
            Truncate = values.Flag("truncate", whenAbsent: true),
        };
    }

    /// <summary>In the scaling's own object, or (Phi's way) beside it; without either, the model's positions.</summary>
    private static int OriginalPositions(in ConfigValues values, in ConfigValues root, int maxPositions)
    {
        const string Key = "original_max_position_embeddings";
        int beside = root.Integer(Key, 0);
        int own = values.Integer(Key, beside != 0 ? beside : maxPositions);
        return beside == 0 || beside == own ? own : throw values.Wrong($"{Key} is {own}, but {beside} beside it; keep the one that the model was trained with");
    }
}
