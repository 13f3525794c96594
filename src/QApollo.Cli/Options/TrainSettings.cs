using QApollo.Checkpoints;
using QApollo.Data;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Quantization;
using QApollo.Runs;
using QApollo.Training;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>Turns the option values of `train` into the library's options.</summary>
internal static class TrainSettings
{
    private const double DefaultLearningRate = 0.01;

    /// <summary>
    /// For weights that are trained on: a matrix whose smaller side is 1,000 to 4,000 then moves as with AdamW at 1e-4 to 5e-5, where
    /// continued pre-training usually is. With |D| = sqrt(channels) and E|R|² = |G|², APOLLO-Mini's update has sqrt(128 / smaller
    /// side) of the root mean square of Adam's.
    /// </summary>
    private const double ContinuedLearningRate = 3e-4;

    /// <summary>As <see cref="ContinuedLearningRate"/>, for optimizers that scale each element by itself.</summary>
    private const double ContinuedAdamLearningRate = 5e-5;

    /// <summary>Enough for the optimizer's moments; a trained model needs no more.</summary>
    private const int ContinuedWarmupSteps = 100;

    /// <param name="tokenizer">Whose vocabulary a preset takes, and what ends a document; null for the published one, for a plan.</param>
    /// <exception cref="UsageException">The model is unknown, its configuration is broken, or its vocabulary too small.</exception>
    public static TrainingOptions ToTrainingOptions(OptionValues values, ITokenizer? tokenizer)
    {
        (LlamaConfig model, double presetRate) = FindModel(values, tokenizer);
        bool continues = WeightsFolder(values) is not null;
        int maxSteps = values.Get(T.MaxSteps);
        int warmup = values.Get(T.WarmupSteps);
        int usualWarmup = continues ? Math.Min(ContinuedWarmupSteps, maxSteps / 10) : maxSteps / 10;
        bool isAdam = values.Get(T.Optimizer) is OptimizerKind.AdamW or OptimizerKind.AdamW8Bit;
        double usualRate = !continues ? presetRate : isAdam ? ContinuedAdamLearningRate : ContinuedLearningRate;
        double rate = values.Get(T.LearningRate);
        return new TrainingOptions
        {
            Model = model,
            Shape = new StepShape(values.Get(T.BatchSize), values.Get(T.SeqLen), values.Get(T.GradAccum)),
            Schedule = new LearningRateSchedule(
                values.Get(T.Schedule), double.IsNaN(rate) ? usualRate : rate, maxSteps, warmup < 0 ? usualWarmup : warmup,
                values.Get(T.MinLrRatio), values.Get(T.DecayShare)),
            Optimizer = new OptimizerOptions
            {
                Kind = values.Get(T.Optimizer),
                EmbeddingAndHead = values.IsGiven(T.HeadOptimizer) ? values.Get(T.HeadOptimizer) : null,
                Beta1 = values.Get(T.Beta1),
                Beta2 = values.Get(T.Beta2),
                Epsilon = (float)values.Get(T.Epsilon),
                WeightDecay = (float)values.Get(T.WeightDecay),
                BiasCorrection = values.Get(T.BiasCorrectionIn),
                Rank = values.Get(T.Rank),
                Scale = values.IsGiven(T.Scale) ? (float)values.Get(T.Scale) : null,
                ScaleFront = values.Get(T.ScaleFront),
                UseLimiter = !values.Get(T.NoLimiter),
                UpdateProjectionGap = values.Get(T.UpdateProjGap),
            },
            Quantization = new QuantizationOptions(values.Get(T.Rounding), values.Get(T.Regrid)),
            Memory = new MemoryOptions
            {
                GradientDType = values.Get(T.GradDType),
                Boundaries = values.Get(T.Boundaries),
                ExpandWeights = values.Get(T.ExpandWeights),
                LogitChunk = values.Get(T.LogitChunk),
                VocabularySlice = values.Get(T.VocabularySlice),
                Weights = new WeightFormats(values.Get(T.Weights), values.Get(T.HeadWeights), values.Get(T.GroupSize)),
            },
            Seed = (ulong)values.Get(T.Seed),
            DocumentEnd = values.Get(T.Packing) == SequenceMode.Masked ? (tokenizer?.EndOfDocument ?? 0) : null,
            SampleTokens = values.Get(T.Quiet) ? 0 : values.Get(T.SampleTokens),
        };
    }

    public static RunOptions ToRunOptions(OptionValues values, string directory)
    {
        double minutes = values.Get(T.SaveMinutes);
        return new RunOptions
        {
            Directory = directory,
            MaxSteps = values.Get(T.MaxSteps),
            EvaluateEvery = values.Get(T.EvalEvery),
            SampleEvery = values.Get(T.SampleEvery),
            SaveEvery = values.Get(T.SaveEvery),
            SaveInterval = minutes > 0 ? TimeSpan.FromMinutes(minutes) : null,
            Keep = values.Get(T.Keep),
        };
    }

    /// <summary>The folder whose weights a run begins with; null when they are initialized.</summary>
    /// <exception cref="UsageException">The folder's configuration is broken.</exception>
    /// <exception cref="InvalidFileException">The folder's weights are damaged or do not fit its configuration.</exception>
    public static ModelFolder? OpenInitialWeights(OptionValues values) => WeightsFolder(values) is { } folder ? new ModelFolder(folder) : null;

    /// <summary>The path of that folder: a checkpoint's where a run is named; null when weights are initialized.</summary>
    /// <exception cref="UsageException">The folder has weights of a kind that cannot be read.</exception>
    public static string? WeightsFolder(OptionValues values)
    {
        string text = values.Get(T.Model);
        if (LlamaPresets.TryFind(text) is not null || !Directory.Exists(text) || values.Get(T.FromScratch))
        {
            return null;
        }

        string folder = ModelFolder.Find(text);
        if (ModelFolder.HasWeights(folder))
        {
            return folder;
        }

        ModelFolder.RefuseOtherWeights(folder);
        return null;
    }

    /// <summary>A preset's name, a config.json, or a folder with one: a model's, or a run's.</summary>
    private static (LlamaConfig Model, double LearningRate) FindModel(OptionValues values, ITokenizer? tokenizer)
    {
        string text = values.Get(T.Model);
        int pinned = values.Get(T.VocabSize);
        if (LlamaPresets.TryFind(text) is { } preset)
        {
            RequireRows("--vocab-size", pinned > 0 ? pinned : int.MaxValue, tokenizer);
            LlamaConfig shape = pinned > 0 ? preset.WithVocabulary(pinned) : tokenizer is null ? preset.Config : preset.ForTokenizer(tokenizer.VocabularySize);
            return (shape, preset.LearningRate);
        }

        string path = Directory.Exists(text) ? Path.Combine(ModelFolder.Find(text), CheckpointFolder.ConfigFile) : text;
        if (!File.Exists(path))
        {
            string known = string.Join(", ", LlamaPresets.All.Select(known => known.Name));
            throw new UsageException($"--model: '{text}' is no preset, file or folder; presets are {known}");
        }

        LlamaConfig config = LlamaConfigJson.Read(path);
        RequireRows("--model", config.VocabSize, tokenizer);
        return pinned == 0 || pinned == config.VocabSize
            ? (config, DefaultLearningRate)
            : throw new UsageException($"--vocab-size: is for presets; {text} has a vocabulary of {config.VocabSize}");
    }

    private static void RequireRows(string option, int rows, ITokenizer? tokenizer)
    {
        if (tokenizer is not null && rows < tokenizer.VocabularySize)
        {
            throw new UsageException(
                $"{option}: its vocabulary of {rows} is too small for the tokenizer's {tokenizer.VocabularySize} ids ({tokenizer.Description})");
        }
    }

    /// <summary>Notes the vocabulary of a preset as if it had been pinned: a resumed run keeps it.</summary>
    public static void RecordVocabulary(OptionValues values, LlamaConfig model)
    {
        if (LlamaPresets.TryFind(values.Get(T.Model)) is not null)
        {
            values.Set(T.VocabSize, model.VocabSize);
        }
    }

    /// <summary>Runs of earlier versions did not note it: then the newest checkpoint knows.</summary>
    public static void ReadVocabulary(OptionValues values, string directory)
    {
        if (!values.IsGiven(T.VocabSize) && CheckpointFolder.List(directory).Count > 0)
        {
            RecordVocabulary(values, LlamaConfigJson.Read(Path.Combine(ModelFolder.Find(directory), CheckpointFolder.ConfigFile)));
        }
    }
}
