using QApollo.Data;
using QApollo.Devices;
using QApollo.Files;
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
    /// <summary>For a report on a run: all options are as typed.</summary>
    /// <param name="tokenizer">Whose vocabulary a preset takes, and what ends a document; null for the published one, for a plan.</param>
    /// <param name="ranks">Processes that train together.</param>
    /// <exception cref="UsageException">The model is unknown, its configuration is broken, or its vocabulary too small; an option has no effect.</exception>
    public static TrainingOptions ToTrainingOptions(OptionValues values, ITokenizer? tokenizer, int ranks = 1) =>
        OptionsWithoutEffect(values).FirstOrDefault() is { } fault
            ? throw new UsageException(fault)
            : ToTrainingOptions(values, ModelChoice.Find(values).WithVocabulary(values, tokenizer), tokenizer, ranks);

    /// <summary>A line for each option that was typed for what the run does not have: layers elsewhere, residual bits.</summary>
    public static IEnumerable<string> OptionsWithoutEffect(OptionValues values)
    {
        if (values.IsTyped(T.LayerSlots) && values.Get(T.LayersIn) == MemorySpace.Device)
        {
            yield return "--layer-slots: is for layers that wait elsewhere; add --layers host or --layers disk";
        }

        if (values.IsTyped(T.LayerFile) && values.Get(T.LayersIn) != MemorySpace.Disk)
        {
            yield return "--layer-file: is for layers that wait on disk; add --layers disk";
        }

        if (values.IsTyped(T.ResidualLayers) && values.Get(T.ResidualLayers) > 0 && values.Get(T.ResidualBits) == 0)
        {
            yield return "--residual-layers: is for weights with residual bits; add --residual-bits 4 or 8";
        }
    }

    public static TrainingOptions ToTrainingOptions(OptionValues values, ModelChoice model, ITokenizer? tokenizer, int ranks = 1)
    {
        int maxSteps = values.Get(T.MaxSteps);
        int length = values.Get(T.SeqLen);
        var shape = new StepShape(values.Get(T.BatchSize), length, values.Get(T.GradAccum));
        long halfLife = values.Get(T.Beta2Tokens);
        return new TrainingOptions
        {
            // Rotary embeddings have no table that would end: a model reads as far as it was trained.
            Model = model.Config.MaxPositionEmbeddings < length ? model.Config with { MaxPositionEmbeddings = length } : model.Config,
            Shape = shape,
            Ranks = ranks,
            Schedule = new LearningRateSchedule(
                values.Get(T.Schedule), values.IsGiven(T.LearningRate) ? values.Get(T.LearningRate) : model.LearningRate, maxSteps,
                values.IsGiven(T.WarmupSteps) ? values.Get(T.WarmupSteps) : model.WarmupSteps(maxSteps),
                values.Get(T.MinLrRatio), values.Get(T.DecayShare)),
            Optimizer = new OptimizerOptions
            {
                Kind = values.Get(T.Optimizer),
                EmbeddingAndHead = values.IsGiven(T.HeadOptimizer) ? values.Get(T.HeadOptimizer) : null,
                Beta1 = values.Get(T.Beta1),
                Beta2 = halfLife > 0 ? OptimizerOptions.Beta2Of(halfLife, Math.Max(1, (long)shape.BatchSize * shape.SequenceLength * shape.GradAccum * ranks)) : values.Get(T.Beta2),
                Epsilon = (float)values.Get(T.Epsilon),
                WeightDecay = (float)values.Get(T.WeightDecay),
                BiasCorrection = values.Get(T.BiasCorrectionIn),
                Rank = values.Get(T.Rank),
                Scale = values.IsGiven(T.Scale) ? (float)values.Get(T.Scale) : null,
                NormalizationRounds = values.Get(T.NormalizationRounds),
                ScaleFront = values.Get(T.ScaleFront),
                UseLimiter = !values.Get(T.NoLimiter),
                UpdateProjectionGap = values.Get(T.UpdateProjGap),
            },
            Quantization = new QuantizationOptions(values.Get(T.Rounding), values.Get(T.Regrid)),
            Memory = new MemoryOptions
            {
                GradientDType = values.Get(T.GradDType),
                WireDType = values.Get(T.WireDType),
                Overlap = values.Get(T.Overlap),
                Boundaries = values.Get(T.Boundaries),
                BoundaryFormat = values.Get(T.BoundaryDType),
                Layers = Placement(values),
                ExpandWeights = values.Get(T.ExpandWeights),
                LogitChunk = values.Get(T.LogitChunk),
                VocabularySlice = values.Get(T.VocabularySlice),
                Weights = Formats(values),
            },
            Seed = (ulong)values.Get(T.Seed),
            DocumentEnd = values.Get(T.Packing) == SequenceMode.Masked ? (tokenizer?.EndOfDocument ?? 0) : null,
            SampleTokens = values.Get(T.Quiet) ? 0 : values.Get(T.SampleTokens),
        };
    }

    /// <param name="time">Of --hours; null without.</param>
    public static RunOptions ToRunOptions(OptionValues values, string directory, FolderLock? held, SessionTime? time)
    {
        double minutes = values.Get(T.SaveMinutes);
        return new RunOptions
        {
            Directory = directory,
            Lock = held,
            MaxSteps = values.Get(T.MaxSteps),
            Time = time,
            CheckReplicasEvery = values.Get(T.CheckReplicas),
            HealthEvery = values.Get(T.HealthEvery),
            EvaluateEvery = values.Get(T.EvalEvery),
            SampleEvery = values.Get(T.SampleEvery),
            SaveEvery = values.Get(T.SaveEvery),
            SaveInterval = minutes > 0 ? TimeSpan.FromMinutes(minutes) : null,
            Keep = values.Get(T.Keep),
            KeepBest = values.Get(T.KeepBest),
            Patience = values.Get(T.Patience),
            OnSpike = values.Get(T.OnSpike),
        };
    }

    private static LayerPlacement Placement(OptionValues values) => values.Get(T.LayersIn) == MemorySpace.Device
        ? LayerPlacement.OnDevice
        : new LayerPlacement(values.Get(T.LayersIn), values.Get(T.LayerSlots));

    /// <exception cref="UsageException">Residual bits that were asked for, of weights that have no codes.</exception>
    private static WeightFormats Formats(OptionValues values)
    {
        WeightFormat matrices = values.Get(T.Weights);
        return new WeightFormats(
            matrices, values.Get(T.HeadWeights), values.Get(T.GroupSize), values.Get(T.ResidualBits),
            values.IsGiven(T.ResidualLayers) ? values.Get(T.ResidualLayers) : WeightFormats.AllLayers, values.Get(T.ZeroPoints));
    }

    /// <summary>Notes the vocabulary of a preset as if it had been pinned: a resumed run keeps it.</summary>
    public static void RecordVocabulary(OptionValues values, LlamaConfig model)
    {
        if (LlamaPresets.TryFind(values.Get(T.Model)) is not null)
        {
            values.Set(T.VocabSize, model.VocabSize);
        }
    }
}
