using QApollo.Checkpoints;
using QApollo.Checkpoints.Interchange;
using QApollo.Data.Tokenizers.Interchange;
using QApollo.Files;
using QApollo.Models;
using QApollo.Parallel;
using QApollo.Runs;
using QApollo.Training;
using D = QApollo.Cli.Options.DataOptionTable;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>What a command line of `train` asks for, read and checked before anything is done.</summary>
/// <param name="Options">What they make of the model; not yet fitted to a budget.</param>
/// <param name="Notes">What a person should know, a line each.</param>
/// <param name="Changes">Options of a resumed run that are others now, a line each.</param>
/// <param name="Held">The folder of a resumed run, which nobody else writes to any more; null for a new one.</param>
internal sealed record TrainRequest(
    OptionValues Values, ModelChoice Model, TrainingOptions Options, DeviceChoice Device, ITokenizer Tokenizer, IReadOnlyList<string> Notes,
    IReadOnlyList<string> Changes, FolderLock? Held) : IDisposable
{
    /// <summary>The tokenizer as other programs read it, for the checkpoints.</summary>
    public required IReadOnlyList<InterchangeFile> ModelFiles { get; init; }

    /// <exception cref="UsageException">All faults of the command line, a line each.</exception>
    /// <exception cref="RunFailedException">Another process is at work in the folder of the run to resume.</exception>
    public static TrainRequest Read(CommandLine commandLine, System.CommandLine.ParseResult parsed, RankGroup group)
    {
        var errors = new List<string>();
        OptionValues values = commandLine.Read(parsed, errors);
        if (values.GetText(T.Config) is { } config)
        {
            RunFile.Merge(values, config, errors);
        }

        // Before anything is read there: a run that goes on replaces its checkpoints.
        bool resumes = values.Get(T.Resume) && IsRun(values, errors);
        FolderLock? held = resumes && group.Ranks.Rank == 0 ? FolderLock.Take(values.Get(T.OutputDir), RunOptions.Work) : null;
        try
        {
            return Read(values, resumes, held, group, errors);
        }
        catch
        {
            held?.Dispose();
            throw;
        }
    }

    public void Dispose() => Held?.Dispose();

    private static TrainRequest Read(OptionValues values, bool resumes, FolderLock? held, RankGroup group, List<string> errors)
    {
        var notes = new List<string>();
        var changes = new List<string>();
        string? checkpoint = resumes ? FindCheckpoint(values.Get(T.OutputDir), errors) : null;
        bool isOtherModel = values.IsExplicit(T.Model);
        if (checkpoint is not null)
        {
            string directory = values.Get(T.OutputDir);
            changes.AddRange(ResumeChanges.Find(values, RunFile.TryRead(directory), errors));
            RunFile.Merge(values, RunFile.In(directory), errors);
        }

        errors.AddRange(TrainSettings.OptionsWithoutEffect(values));
        ModelChoice? model = Try(() => checkpoint is null || isOtherModel ? ModelChoice.Find(values) : ModelChoice.OfCheckpoint(checkpoint));
        DeviceChoice? device = Try(() => RankDevice.Of(values, group));
        ITokenizer? tokenizer = model is null && !values.IsGiven(D.Tokenizer) ? null : Try(() => TrainTokenizer.Choose(values, model, notes));
        model = model is null || tokenizer is null ? model : Try(() => model.WithVocabulary(values, tokenizer));
        DataSettings.CheckPaths(values, errors);
        // A run that is gone on with may end early.
        if (checkpoint is null && values.IsGiven(T.WarmupSteps) && values.Get(T.WarmupSteps) > values.Get(T.MaxSteps))
        {
            errors.Add(FormattableString.Invariant(
                $"--warmup-steps: {values.Get(T.WarmupSteps)} are more than the run has (--max-steps {values.Get(T.MaxSteps)}): it would never reach its learning rate"));
        }

        if (values.Get(T.Patience) > 0 && values.Get(T.EvalEvery) == 0)
        {
            errors.Add("--patience: counts validations, and there is but the one at the end; --eval-every takes the steps between them");
        }

        if (errors.Count > 0)
        {
            throw new UsageException(string.Join(Environment.NewLine, errors));
        }

        TrainingOptions options = TrainSettings.ToTrainingOptions(values, model!, tokenizer!, group.Ranks.Size);
        if (options.Model.MaxPositionEmbeddings > model!.Config.MaxPositionEmbeddings)
        {
            notes.Add(FormattableString.Invariant(
                $"sequences of {options.Shape.SequenceLength:N0} tokens are longer than the model's {model.Config.MaxPositionEmbeddings:N0} positions (max_position_embeddings): it is trained and saved for the longer ones"));
        }

        // Documents end with the tokenizer's token, whatever the model's configuration said before.
        DocumentTokens documents = ModelSettings.DocumentTokens(tokenizer!, options.Model, isTrainedHere: true);
        TokenizerExport files = TokenizerExport.Load(values.Get(D.Tokenizer));
        LlamaConfig known = options.Model with { BosTokenId = files.BeginToken(documents) ?? options.Model.BosTokenId };
        options = options with { Model = known.WithEndToken(documents.End) };
        return new TrainRequest(values, model, options, device!, tokenizer!, notes, changes, held)
        {
            ModelFiles = files.HuggingFaceFiles(documents),
        };

        TResult? Try<TResult>(Func<TResult> read)
            where TResult : class
        {
            try
            {
                return read();
            }
            catch (Exception exception) when (exception is UsageException or InvalidFileException)
            {
                errors.Add(exception.Message);
                return null;
            }
        }
    }

    private static bool IsRun(OptionValues values, List<string> errors)
    {
        string? directory = values.GetText(T.OutputDir);
        if (directory is not null && File.Exists(RunFile.In(directory)))
        {
            return true;
        }

        string found = directory is null ? string.Empty : $"; {directory} holds none (no run.json)";
        errors.Add($"--resume: needs --output-dir, the folder of the run to go on with{found}");
        return false;
    }

    /// <summary>The newest checkpoint; null where there is none, which the errors then say.</summary>
    private static string? FindCheckpoint(string directory, List<string> errors)
    {
        IReadOnlyList<(int Step, string Path)> checkpoints = CheckpointFolder.List(directory);
        if (checkpoints.Count == 0)
        {
            errors.Add($"--resume: {directory} has no complete checkpoint; start without --resume");
            return null;
        }

        return checkpoints[^1].Path;
    }
}
