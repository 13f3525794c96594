using QApollo.Checkpoints;
using QApollo.Models;
using QApollo.Optimizers;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>The model that --model names for training, and what follows from where it comes from.</summary>
/// <param name="WeightsFolder">The folder whose weights the run begins with; null when they are initialized, or a checkpoint's.</param>
/// <param name="LearningRate">Peak learning rate unless one is given.</param>
/// <param name="RateOrigin">Why that one.</param>
internal sealed record ModelChoice(LlamaConfig Config, string? WeightsFolder, double LearningRate, string RateOrigin)
{
    private const double FromScratchRate = 0.01;

    /// <summary>
    /// For weights that are trained on: a matrix whose smaller side is 1,000 to 4,000 then moves as with AdamW at 1e-4 to 5e-5, where
    /// continued pre-training usually is. With |D| = sqrt(channels) and E|R|² = |G|², APOLLO-Mini's update has sqrt(128 / smaller
    /// side) of the root mean square of Adam's.
    /// </summary>
    private const double ContinuedRate = 3e-4;

    /// <summary>As <see cref="ContinuedRate"/>, for optimizers whose update has a root mean square of the rate.</summary>
    private const double ContinuedAdamRate = 5e-5;

    /// <summary>Enough for the optimizer's moments; a trained model needs no more.</summary>
    private const int ContinuedWarmupSteps = 100;

    /// <summary>Null for models that are described by a file.</summary>
    private LlamaPreset? Preset { get; init; }

    /// <summary>A preset's name, a config.json, or a folder with one: a model's, or a run's.</summary>
    /// <exception cref="UsageException">There is no such model, its configuration is broken, or its weights are of a kind that cannot be read.</exception>
    public static ModelChoice Find(OptionValues values)
    {
        string text = values.Get(T.Model);
        if (LlamaPresets.TryFind(text) is { } published)
        {
            LlamaPreset preset = ShapeOptions.Apply(values, published);
            return FromScratch(values, preset.Config, preset.LearningRate, "the preset's, from scratch") with { Preset = preset };
        }

        string? folder = Directory.Exists(text) ? ModelFolder.Find(text) : null;
        string path = folder is null ? text : Path.Combine(folder, CheckpointFolder.ConfigFile);
        if (!File.Exists(path))
        {
            string known = string.Join(", ", LlamaPresets.All.Select(known => known.Name));
            throw new UsageException($"--model: '{text}' is no preset, file or folder; presets are {known}");
        }

        ShapeOptions.RequireNone(values);
        LlamaConfig config = LlamaConfigJson.Read(path);
        if (folder is null || values.Get(T.FromScratch))
        {
            return FromScratch(values, config);
        }

        if (!ModelFolder.HasWeights(folder))
        {
            ModelFolder.RefuseOtherWeights(folder);
            return FromScratch(values, config);
        }

        return new ModelChoice(config, folder, MovesElementsByTheRate(values.Get(T.Optimizer)) ? ContinuedAdamRate : ContinuedRate, "the default for weights that are trained on");
    }

    /// <param name="miniRate">APOLLO-Mini's, which those of the others follow.</param>
    private static ModelChoice FromScratch(OptionValues values, LlamaConfig config, double miniRate = FromScratchRate, string origin = "the default from scratch")
    {
        OptimizerKind optimizer = values.Get(T.Optimizer);
        decimal factor = RelativeRate(optimizer);
        return new ModelChoice(config, null, (double)((decimal)miniRate * factor), factor == 1 ? origin : $"the default of {T.Optimizer.Format(optimizer)}");
    }

    /// <summary>
    /// What trained well beside APOLLO-Mini at its rate (docs/quality.md), as published. SinkGD and RACS move each element by a twentieth of
    /// the rate.
    /// </summary>
    private static decimal RelativeRate(OptimizerKind optimizer) =>
        MovesElementsByTheRate(optimizer) ? 0.1m : optimizer is OptimizerKind.SinkGd or OptimizerKind.Racs ? 2 : 1;

    private static bool MovesElementsByTheRate(OptimizerKind optimizer) => optimizer is OptimizerKind.AdamW or OptimizerKind.AdamW8Bit or OptimizerKind.Scale;

    /// <summary>Updates of linear warm-up unless a number is given: a tenth of the run, but no more than trained weights need.</summary>
    public int WarmupSteps(int maxSteps) => WeightsFolder is null ? maxSteps / 10 : Math.Min(ContinuedWarmupSteps, maxSteps / 10);

    /// <summary>The model of a run that is gone on with: its configuration lies in its checkpoint.</summary>
    /// <exception cref="UsageException">Its configuration is broken.</exception>
    public static ModelChoice OfCheckpoint(string checkpoint) =>
        new(LlamaConfigJson.Read(Path.Combine(checkpoint, CheckpointFolder.ConfigFile)), null, FromScratchRate, "the default from scratch");

    /// <summary>A preset with as many rows as the tokenizer or --vocab-size asks for; other models have theirs.</summary>
    /// <param name="tokenizer">Null for a plan, which takes the published vocabulary.</param>
    /// <exception cref="UsageException">There are fewer rows than the tokenizer has ids, or other ones than the model's description says.</exception>
    public ModelChoice WithVocabulary(OptionValues values, ITokenizer? tokenizer)
    {
        int pinned = values.Get(T.VocabSize);
        if (Preset is not null)
        {
            RequireRows("--vocab-size", pinned > 0 ? pinned : int.MaxValue, tokenizer);
            return this with
            {
                Config = pinned > 0 ? Preset.WithVocabulary(pinned) : tokenizer is null ? Preset.Config : Preset.ForTokenizer(tokenizer.VocabularySize),
            };
        }

        RequireRows("--model", Config.VocabSize, tokenizer);
        return pinned == 0 || pinned == Config.VocabSize
            ? this
            : throw new UsageException($"--vocab-size: is for presets; {values.Get(T.Model)} has a vocabulary of {Config.VocabSize}");
    }

    private static void RequireRows(string option, int rows, ITokenizer? tokenizer)
    {
        if (tokenizer is not null && rows < tokenizer.VocabularySize)
        {
            throw new UsageException(
                $"{option}: its vocabulary of {rows} is too small for the tokenizer's {tokenizer.VocabularySize} ids ({tokenizer.Description})");
        }
    }
}
