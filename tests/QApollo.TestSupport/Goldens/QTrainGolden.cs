using System.Text.Json;
using QApollo.Devices;

namespace QApollo.TestSupport.Goldens;

/// <summary>The parameters of a model of which some are INT8 in the official format.</summary>
public sealed record QuantizedModel(IReadOnlyDictionary<string, OfficialQuantized> Quantized, IReadOnlyDictionary<string, float[]> Other)
{
    /// <summary>All parameters by Hugging Face name, dequantized.</summary>
    public Dictionary<string, float[]> Dequantize() =>
        Quantized.Select(pair => KeyValuePair.Create(pair.Key, pair.Value.Dequantize())).Concat(Other).ToDictionary();

    internal static QuantizedModel Read(GoldenFile file, string prefix, int groupSize)
    {
        const string Codes = ".q";
        string[] names = [.. file.TensorNames.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).Select(name => name[prefix.Length..])];
        return new QuantizedModel(
            names.Where(name => name.EndsWith(Codes, StringComparison.Ordinal)).Select(name => name[..^Codes.Length]).ToDictionary(
                name => name,
                name => new OfficialQuantized(file.Bytes($"{prefix}{name}.q"), file.Floats($"{prefix}{name}.scales"), file.Floats($"{prefix}{name}.zeros"), groupSize)),
            names.Where(name => name.EndsWith(".weight", StringComparison.Ordinal)).ToDictionary(name => name, name => file.Floats(prefix + name)));
    }
}

/// <summary>A small LLaMA with INT8 matrices in the official format, trained with rounding to nearest.</summary>
/// <param name="AfterFour">Quantized parameters after 4 updates.</param>
/// <param name="Final">After the last update; its codes are for statistics only.</param>
/// <param name="OtherPeaks">The same run at other peak learning rates: the peak's ratio to the main one, and the losses.</param>
public sealed record QTrainGolden(
    TrainingCourse Course,
    QuantizedModel Initial,
    QuantizedModel AfterFour,
    QuantizedModel Final,
    IReadOnlyList<(double PeakRatio, double[] Losses)> OtherPeaks)
{
    public static QTrainGolden Load(string set, string run)
    {
        using var initial = new GoldenFile($"{set}/initial");
        using var results = new GoldenFile($"{set}/{run}");
        JsonElement manifest = initial.Manifest;
        int groupSize = manifest.GetProperty("group_size").GetInt32();

        // The rule has no field of its own here; it is that of the official source that made the run.
        JsonElement description = manifest.GetProperty("runs").GetProperty(run);
        bool direction = description.GetProperty("source").GetString()!.Contains("q_apollo.py", StringComparison.Ordinal);
        ApolloSettings settings = ApolloSettings.Read(manifest, description);
        settings = settings with
        {
            Adam = settings.Adam with { BiasCorrection = direction ? BiasCorrection.Direction : BiasCorrection.StepSize, SingleBetas = direction },
        };
        var others = manifest.TryGetProperty("extra_lr_runs", out JsonElement extra) && extra.TryGetProperty(run, out JsonElement other)
            ? new[] { (other.GetProperty("lr").GetDouble() / manifest.GetProperty("lr").GetDouble(), GoldenJson.Doubles(other.GetProperty("loss_per_step"))) }
            : [];
        return new QTrainGolden(
            TrainingCourse.Read(set, manifest, settings, initial, results),
            QuantizedModel.Read(initial, "init/", groupSize),
            QuantizedModel.Read(results, "after_4_updates/", groupSize),
            QuantizedModel.Read(results, "final/", groupSize),
            others);
    }
}
