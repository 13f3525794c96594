using QApollo.Checkpoints;
using QApollo.Models;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>The model that --model names for training, and what follows from where it comes from.</summary>
/// <param name="WeightsFolder">The folder whose weights the run begins with; null when they are initialized, or a checkpoint's.</param>
/// <param name="LearningRate">Peak learning rate unless one is given.</param>
/// <param name="RateOrigin">Why that one.</param>
internal sealed record ModelChoice(LlamaConfig Config, string? WeightsFolder, double LearningRate, string RateOrigin)
{
    private const double FromScratchRate = 0.01;

    /// <summary>Trained weights are near a minimum already: the rate that finds one from nothing would throw them out of it.</summary>
    private const double ContinuedRate = 0.001;

    /// <summary>A preset's name, a config.json, or a folder with one: a model's, or a run's.</summary>
    /// <exception cref="UsageException">There is no such model, or its configuration is broken.</exception>
    public static ModelChoice Find(OptionValues values)
    {
        string text = values.Get(T.Model);
        if (LlamaPresets.TryFind(text) is { } preset)
        {
            return new ModelChoice(preset.Config, null, preset.LearningRate, $"the preset's, from scratch");
        }

        string? folder = Directory.Exists(text) ? ModelFolder.Find(text) : null;
        string path = folder is null ? text : Path.Combine(folder, CheckpointFolder.ConfigFile);
        if (!File.Exists(path))
        {
            string known = string.Join(", ", LlamaPresets.All.Select(known => known.Name));
            throw new UsageException($"--model: '{text}' is no preset, file or folder; presets are {known}");
        }

        LlamaConfig config = LlamaConfigJson.Read(path);
        return folder is not null && ModelFolder.HasWeights(folder) && !values.Get(T.FromScratch)
            ? new ModelChoice(config, folder, ContinuedRate, "the default for weights that are trained on")
            : new ModelChoice(config, null, FromScratchRate, "the default from scratch");
    }

    /// <summary>The model of a run that is gone on with: its configuration lies in its checkpoint.</summary>
    /// <exception cref="UsageException">Its configuration is broken.</exception>
    public static ModelChoice OfCheckpoint(string checkpoint) =>
        new(LlamaConfigJson.Read(Path.Combine(checkpoint, CheckpointFolder.ConfigFile)), null, FromScratchRate, "the default from scratch");
}
