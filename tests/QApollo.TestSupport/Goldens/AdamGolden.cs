using QApollo.Devices;

namespace QApollo.TestSupport.Goldens;

/// <summary>A matrix or a vector through T updates by AdamW: the one in APOLLO's sources, or torch.optim.AdamW.</summary>
/// <param name="LearningRates">One per update.</param>
/// <param name="Gradients">One per update.</param>
/// <param name="Weights">Expected after each update.</param>
/// <param name="FirstMoment">Expected after the last.</param>
/// <param name="SecondMoment">Expected after the last.</param>
public sealed record AdamGolden(
    AdamSettings Settings, double[] LearningRates, float[] Initial, float[][] Gradients, float[][] Weights, float[] FirstMoment, float[] SecondMoment)
{
    public static AdamGolden Load(string set, string shape, string run)
    {
        using var file = new GoldenFile(set);
        var description = file.Run(run);
        var betas = file.Manifest.GetProperty("betas");
        bool torch = description.GetProperty("kind").GetString() != "official";
        var settings = new AdamSettings(
            betas[0].GetDouble(),
            betas[1].GetDouble(),
            description.GetProperty("eps").GetDouble(),
            description.GetProperty("weight_decay").GetDouble(),
            torch ? BiasCorrection.Direction : BiasCorrection.StepSize,
            DecayFirst: torch);
        return new AdamGolden(
            settings,
            GoldenJson.Doubles(file.Manifest.GetProperty("lr_per_update")),
            file.Floats($"{shape}/w0"),
            file.FloatsPerUpdate($"{shape}/grad"),
            file.FloatsPerUpdate($"{run}/{shape}/w"),
            file.Floats($"{run}/{shape}/exp_avg"),
            file.Floats($"{run}/{shape}/exp_avg_sq"));
    }
}
