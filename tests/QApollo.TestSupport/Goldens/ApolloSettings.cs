using System.Text.Json;
using QApollo.Devices;

namespace QApollo.TestSupport.Goldens;

/// <summary>Hyperparameters of AdamW as the goldens name them.</summary>
/// <param name="DecayFirst">Decay the old weight (torch.optim.AdamW) instead of the updated one (APOLLO's AdamW).</param>
public sealed record AdamSettings(
    double Beta1, double Beta2, double Epsilon, double WeightDecay, BiasCorrection BiasCorrection, bool DecayFirst)
{
    /// <summary>
    /// Round the betas, and what is formed of them, to binary32, as the Adam kernel does that the official quantized
    /// optimizer calls. Adds about 1e-5 to sqrt(1 - b2^t).
    /// </summary>
    public bool SingleBetas { get; init; }
}

/// <summary>Hyperparameters of APOLLO as the goldens name them.</summary>
/// <param name="Adam">Of the projected gradient; its weight decay applies to the updated weight.</param>
/// <param name="TensorWise">One factor for the matrix (APOLLO-Mini) instead of one per channel.</param>
public sealed record ApolloSettings(AdamSettings Adam, int Rank, double Scale, bool TensorWise, bool ScaleFront, bool UseLimiter)
{
    /// <summary>Limit against a stored norm of zero too, as the official code does; otherwise zero counts as none.</summary>
    public bool KeepZeroNorm { get; init; } = true;

    /// <summary>Reads the settings of a run, from the run itself or else from the manifest that it belongs to.</summary>
    internal static ApolloSettings Read(JsonElement manifest, JsonElement run)
    {
        JsonElement Value(string name) => Find(name) ?? throw new KeyNotFoundException($"the manifest has no \"{name}\" for the run");
        JsonElement? Find(string name) => run.TryGetProperty(name, out JsonElement own) ? own : manifest.TryGetProperty(name, out JsonElement common) ? common : null;

        if (Find("correct_bias")?.GetBoolean() == false)
        {
            throw new NotSupportedException("a run without bias correction");
        }

        // Only runs of the quantized optimizer name a rule.
        bool direction = Find("rule")?.GetString() is "official";
        JsonElement betas = Value("betas");
        var adam = new AdamSettings(
            betas[0].GetDouble(),
            betas[1].GetDouble(),
            Value("eps").GetDouble(),
            Value("weight_decay").GetDouble(),
            direction ? BiasCorrection.Direction : BiasCorrection.StepSize,
            DecayFirst: false)
        {
            SingleBetas = direction,
        };
        return new ApolloSettings(
            adam,
            Value("rank").GetInt32(),
            Value("scale").GetDouble(),
            Value("scale_type").GetString() == "tensor",
            Value("scale_front").GetBoolean(),
            UseLimiter: Find("disable_nl")?.GetBoolean() != true);
    }
}
