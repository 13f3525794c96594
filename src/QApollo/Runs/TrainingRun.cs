using System.Diagnostics;
using System.Globalization;
using QApollo.Batches;
using QApollo.Checkpoints;
using QApollo.Collectives;
using QApollo.Files;
using QApollo.Models;
using QApollo.Training;

namespace QApollo.Runs;

/// <summary>
/// A whole run: batches in, updates, validation now and then, checkpoints, metrics. It can be stopped at a step's end
/// and goes on from its last checkpoint with the same bytes. With several ranks each has a run of its own in the same folder:
/// they decide everything together, and rank 0 writes.
/// </summary>
public sealed class TrainingRun
{
    /// <summary>Without a new checkpoint in between.</summary>
    private const int MostRewinds = 3;

    /// <summary>In a row: behind so many the weights are at fault, not the data.</summary>
    private const int MostSkips = 10;

    private const string Advice = "a lower --lr, or more --warmup-steps, may help";

    private readonly RunOptions _options;
    private readonly Trainer _trainer;
    private readonly IBatchSource _batches;
    private readonly IValidationBatches? _validation;
    private readonly string _tokenizerFingerprint;
    private readonly IRunObserver _observer;
    private readonly string _metricsPath;
    private MetricsFile? _samples;
    private readonly RunSampler? _sampler;
    private readonly ICommunicator _ranks;
    private readonly int[] _tokens;
    private readonly int[] _labels;
    private readonly LayerHealth[] _health;
    private readonly long[] _epochs;
    private long _tokensSeen;
    private long _lastSave;
    private TimeSpan? _lastStep;
    private int _savedStep;
    private int _validatedStep = -1;
    private int _silentUntil;
    private int _rewinds;
    private LossWatch _watch;
    private readonly Func<double, bool>? _skips;
    private string? _skipFault;
    private int _skipsInARow;
    private int _sampledStep = -1;

    /// <param name="validation">Held-out data; null for none.</param>
    /// <param name="sampler">Makes text samples; null for none.</param>
    public TrainingRun(
        RunOptions options, Trainer trainer, IBatchSource batches, IValidationBatches? validation, string tokenizerFingerprint, IRunObserver observer,
        RunSampler? sampler = null)
    {
        (_options, _trainer, _batches, _validation, _tokenizerFingerprint, _observer, _sampler) =
            (options, trainer, batches, validation, tokenizerFingerprint, observer, sampler);
        _ranks = trainer.Ranks;
        _tokens = new int[trainer.Layout.Options.Shape.TokensPerStep];
        _labels = new int[_tokens.Length];
        _health = new LayerHealth[trainer.Layout.Weights.Layers.Length];
        _epochs = new long[batches.Sources.Count];
        _metricsPath = Path.Combine(options.Directory, "metrics.jsonl");
        _watch = NewWatch();
        _skips = options.OnSpike == SpikeAction.Skip ? Skips : null;
    }

    /// <summary>Told of the reading of checkpoints.</summary>
    public IProgress<StageProgress>? Reading { get; init; }

    /// <summary>What the sensors of the device show, for metrics.jsonl; null for none. Stays the caller's.</summary>
    public SensorWatch? Sensors { get; init; }

    /// <summary>Whether <see cref="RunOptions.Time"/> ended this session before the last step, on any rank.</summary>
    public bool IsOutOfTime { get; private set; }

    /// <summary>Steps whose update was left out, those before a resume included.</summary>
    public int SkippedSteps { get; private set; }

    /// <summary>Mean loss of the last validation, in nats; NaN before the first.</summary>
    public double ValidationLoss { get; private set; } = double.NaN;

    /// <summary>The best validation, those before a resume included.</summary>
    public BestValidation Best { get; private set; } = new();

    /// <summary><see cref="ValidationLoss"/> of each source of a mixture; empty: there is one source.</summary>
    public IReadOnlyList<(string Name, double Loss)> SourceLosses { get; private set; } = [];

    /// <summary>What <see cref="Resume"/> found that makes the run go on other than it would have; for people, a line each.</summary>
    public IReadOnlyList<string> Changes { get; private set; } = [];

    /// <summary>Restores the newest complete checkpoint of the run's folder.</summary>
    /// <returns>The checkpoint's path.</returns>
    /// <exception cref="UsageException">There is none, or it belongs to another model, tokenizer or seed, or has more steps than the run.</exception>
    /// <exception cref="InvalidFileException">It is damaged.</exception>
    public string Resume()
    {
        IReadOnlyList<(int Step, string Path)> checkpoints = CheckpointFolder.List(_options.Directory);
        if (checkpoints.Count == 0)
        {
            throw new UsageException($"--resume: {_options.Directory} has no complete checkpoint; start without --resume");
        }

        string path = checkpoints[^1].Path;
        RunState state = Load(checkpoints);
        if (state.TokenizerFingerprint != _tokenizerFingerprint)
        {
            throw new UsageException($"--resume: {path} was trained with another tokenizer; pass the one it began with");
        }

        ulong seed = _trainer.Layout.Options.Seed;
        if (state.Seed != seed)
        {
            throw new UsageException($"--resume: {path} was trained with --seed {state.Seed}, not {seed}: pass that one, or none");
        }

        if (state.Step > _options.MaxSteps)
        {
            throw new UsageException($"--max-steps: {path} has done {state.Step} steps, more than {_options.MaxSteps}: name as many or more");
        }

        Changes = [.. FindChanges(state, path)];
        _batches.Position = state.Position;
        CountEpochs();
        _tokensSeen = state.Tokens;
        _savedStep = state.Step;
        Recall(state.Step);
        return path;
    }

    /// <exception cref="InvalidFileException">The newest checkpoint is damaged; the message names the one to go on from, if there is one.</exception>
    private RunState Load(IReadOnlyList<(int Step, string Path)> checkpoints)
    {
        (int step, string path) = checkpoints[^1];
        try
        {
            RunState state = Checkpoint.Load(_trainer, path, Reading);
            return state.Step == step
                ? state
                : throw new InvalidFileException(path, $"holds the state after {state.Step} steps: it is another checkpoint under this name");
        }
        catch (InvalidFileException exception)
        {
            throw CheckpointFolder.WithOlder(exception, checkpoints, older => $"delete {path} to go on from {older}");
        }
    }

    private IEnumerable<string> FindChanges(RunState state, string path)
    {
        if (state.DataTokens != 0 && state.DataTokens != _batches.DataTokens)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"the checkpoint's run had {state.DataTokens:N0} tokens to train on, now there are {_batches.DataTokens:N0}: it goes on, but not as it would have");
        }
        else if (state.DataDescription != _batches.Description)
        {
            yield return $"the checkpoint's run had as data {Named(state.DataDescription)}, now it is {Named(_batches.Description)}: it goes on, but not as it would have";
        }
        else if (state.DataFingerprint.Length > 0 && state.DataFingerprint != _batches.DataFingerprint)
        {
            yield return "the training data has other tokens than that of the checkpoint's run, though as many: it goes on, but not as it would have";
        }

        if (Checkpoint.ResidualChange(path, _trainer.Layout) is { } residuals)
        {
            yield return residuals;
        }

        float rate = _trainer.Layout.Options.Schedule.At(state.Step);
        if (state.NextLearningRate is float planned && planned != rate && state.Step < _options.MaxSteps)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"the learning rate was {planned:G4} at this step and is {rate:G4} now: the schedule is another one (--max-steps, --lr, --schedule, --warmup-steps)");
        }
    }

    /// <summary>Trains until the last step, until asked to stop, or as long as there is time; all end with a checkpoint.</summary>
    /// <param name="stop">Ends the run at the next step's end, on all ranks.</param>
    /// <returns>True when all steps are done.</returns>
    /// <exception cref="RunFailedException">Loss, gradient or weights not finite, or the disk is full; earlier checkpoints stand.</exception>
    public bool Run(CancellationToken stop)
    {
        using FolderLock? own = Writes && _options.Lock is null ? FolderLock.Take(_options.Directory, RunOptions.Work) : null;
        using MetricsFile? metrics = Writes ? new MetricsFile(_metricsPath, _trainer.CompletedSteps) : null;
        using MetricsFile? samples = _sampler is null ? null : new MetricsFile(Path.Combine(_options.Directory, "samples.jsonl"), _trainer.CompletedSteps);
        _samples = samples;
        if (Writes)
        {
            // Now, not at the first save: the disk may be full of them.
            CheckpointFolder.RemoveLeftovers(_options.Directory);
        }

        ReplicaCheck.RequireSameBeginning(_trainer);
        _lastSave = Stopwatch.GetTimestamp();
        if (_options.EvaluateFirst && _trainer.CompletedSteps == 0 && !IsAsked(stop))
        {
            Validate(metrics);
        }

        bool isOver = false;
        while (_trainer.CompletedSteps < _options.MaxSteps && !IsAsked(stop) && !(isOver = IsUsedUp() || IsOutOfPatience()))
        {
            long begun = Stopwatch.GetTimestamp();
            bool goesOn = TimedStep(metrics);
            _options.Pause?.After(Stopwatch.GetElapsedTime(begun), stop);
            if (!goesOn)
            {
                continue;
            }

            int step = _trainer.CompletedSteps;
            if (_options.EvaluateEvery > 0 && step % _options.EvaluateEvery == 0)
            {
                Validate(metrics);
            }

            if (_options.SampleEvery > 0 && step % _options.SampleEvery == 0)
            {
                Sample();
            }

            if (_options.CheckReplicasEvery > 0 && step % _options.CheckReplicasEvery == 0)
            {
                ReplicaCheck.Require(_trainer);
            }

            if (IsTimeToSave() || (_options.SaveEvery > 0 && step % _options.SaveEvery == 0))
            {
                Save();
            }
        }

        bool finished = isOver || _trainer.CompletedSteps >= _options.MaxSteps;
        Save();
        if (finished)
        {
            Validate(metrics);
            Sample();
        }

        return finished;
    }

    private bool Writes => _ranks.Rank == 0;

    /// <summary>Sequences that a rank reads in a step.</summary>
    private int SequencesPerRank => _trainer.Layout.Options.Shape.TokensPerStep / _trainer.Layout.Options.Shape.SequenceLength;

    /// <summary>Whether any rank was asked to stop, or has no time for another step like its last one.</summary>
    private bool IsAsked(CancellationToken stop)
    {
        const int OutOfTime = 1;
        const int Stopped = 2;
        bool isLate = _options.Time is { } time && _lastStep is { } last && time.EndsBefore(last);
        int asked = _ranks.Max(stop.IsCancellationRequested ? Stopped : isLate ? OutOfTime : 0);
        IsOutOfTime = asked == OutOfTime;
        return asked > 0;
    }

    /// <summary>By the clock of the rank that writes.</summary>
    private bool IsTimeToSave() =>
        _options.SaveInterval is { } interval && _ranks.Any(Writes && Stopwatch.GetElapsedTime(_lastSave) >= interval);

    private bool IsUsedUp()
    {
        if (_batches.Has(SequencesPerRank * _ranks.Size))
        {
            return false;
        }

        _observer.OnWarning($"a source of the mixture ends: the run ends with it, after {_trainer.CompletedSteps} steps of {_options.MaxSteps}");
        return true;
    }

    private bool IsOutOfPatience()
    {
        if (_options.Patience == 0 || Best.Since < _options.Patience)
        {
            return false;
        }

        _observer.OnWarning(string.Create(
            CultureInfo.InvariantCulture,
            $"step {_trainer.CompletedSteps}: no better validation than {Best.Loss:F4} (step {Best.Step}) in {Best.Since}: the run ends after {_trainer.CompletedSteps} steps of {_options.MaxSteps}"));
        return true;
    }

    /// <inheritdoc cref="Step"/>
    private bool TimedStep(MetricsFile? metrics)
    {
        TimeSpan begun = _options.Time?.Elapsed ?? default;
        bool goesOn = Step(metrics);
        _lastStep = _options.Time?.Elapsed - begun;
        return goesOn;
    }

    /// <returns>False when the run went back to a checkpoint.</returns>
    private bool Step(MetricsFile? metrics)
    {
        long start = Stopwatch.GetTimestamp();
        int perBatch = _trainer.Layout.Options.Shape.TokensPerMicroBatch;
        _batches.Skip(_ranks.Rank * SequencesPerRank);
        for (int first = 0; first < _tokens.Length; first += perBatch)
        {
            _batches.ReadNext(_tokens.AsSpan(first, perBatch), _labels.AsSpan(first, perBatch));
        }

        _batches.Skip((_ranks.Size - 1 - _ranks.Rank) * SequencesPerRank);

        TellEpochs();
        bool checkedMovement = _trainer.UnmovedParameters is not null;
        StepResult result;
        try
        {
            result = _trainer.Step(_tokens, _labels, _skips);
        }
        catch (RunFailedException exception) when (_options.OnSpike == SpikeAction.Rewind)
        {
            // Loss or gradient not finite: a checkpoint has all that this step spoilt.
            Rewind(metrics, exception.Message);
            return false;
        }

        _tokensSeen += result.Tokens;
        double tokensPerSecond = result.Tokens / Stopwatch.GetElapsedTime(start).TotalSeconds;
        metrics?.WriteStep(result, tokensPerSecond, Sensors?.Take());
        if (result.IsSkipped)
        {
            TellSkipped(result, tokensPerSecond);
            return true;
        }

        _skipsInARow = 0;
        if (metrics is not null && _options.HealthEvery > 0 && result.Step % _options.HealthEvery == 0)
        {
            for (int layer = 0; layer < _health.Length; layer++)
            {
                _health[layer] = _trainer.Health(layer);
            }

            metrics.WriteHealth(result.Step, _health);
        }

        _observer.OnStep(result, tokensPerSecond);
        if (!checkedMovement && _trainer.UnmovedParameters is { Count: > 0 } unmoved)
        {
            _observer.OnWarning($"step {result.Step} left {unmoved.Count} parameters as they were: {Names(unmoved)}");
        }

        return _watch.Judge(result.Loss) is not { } fault || GoesOnAfter(metrics, $"step {result.Step}: {fault}");
    }

    private bool Skips(double loss) => (_skipFault = _watch.Find(loss)) is not null;

    /// <exception cref="RunFailedException">There were too many in a row.</exception>
    private void TellSkipped(in StepResult result, double tokensPerSecond)
    {
        SkippedSteps++;
        _observer.OnStep(result, tokensPerSecond);
        string fault = $"step {result.Step}: {_skipFault}";
        if (++_skipsInARow == MostSkips)
        {
            throw new RunFailedException(
                $"{fault}; {MostSkips} updates in a row were left out, so the weights are at fault, not the data; earlier checkpoints stand; {Advice}")
            { OnAllRanks = true };
        }

        _observer.OnWarning($"{fault}; its update is left out");
    }

    /// <summary>Does what <see cref="RunOptions.OnSpike"/> says of a loss whose update is done.</summary>
    /// <returns>False when the run went back to a checkpoint.</returns>
    /// <exception cref="RunFailedException">The run is to stop, or there is nothing to go back to.</exception>
    private bool GoesOnAfter(MetricsFile? metrics, string fault)
    {
        switch (_options.OnSpike)
        {
            case SpikeAction.Stop:
                throw new RunFailedException($"{fault}; earlier checkpoints stand; {Advice}") { OnAllRanks = true };
            case SpikeAction.Rewind:
                Rewind(metrics, fault);
                return false;
            default:
                // Said once for the steps that such a jump lasts.
                if (_trainer.CompletedSteps >= _silentUntil)
                {
                    _silentUntil = _trainer.CompletedSteps + LossWatch.Window;
                    _observer.OnWarning($"{fault}; {Advice}");
                }

                return true;
        }
    }

    /// <summary>The data goes on: saved at once, so that a run which is killed now would resume to the same.</summary>
    private void Rewind(MetricsFile? metrics, string fault)
    {
        IReadOnlyList<(int Step, string Path)> checkpoints = CheckpointFolder.List(_options.Directory);
        if (checkpoints.Count == 0 || ++_rewinds > MostRewinds)
        {
            string why = checkpoints.Count == 0 ? "there is no checkpoint to go back to" : $"the run went back to {checkpoints[^1].Path} {MostRewinds} times already";
            throw new RunFailedException($"{fault}; {why}; {Advice}") { OnAllRanks = true };
        }

        RunState state = Load(checkpoints);
        _tokensSeen = state.Tokens;
        metrics?.GoBack(state.Step);
        _samples?.GoBack(state.Step);
        _observer.OnRewind(state.Step);

        // Before the others read the metrics that rank 0 goes back in, and before it writes over the checkpoint that they read.
        _ranks.Barrier();
        Recall(state.Step);
        (_validatedStep, _sampledStep) = (-1, -1);
        _ranks.Barrier();
        Write();
        _observer.OnWarning($"{fault}; back to step {state.Step}, with the data behind that of this step");
    }

    /// <summary>Judges as if the run had not been interrupted.</summary>
    private void Recall(int completedSteps)
    {
        var history = MetricsHistory.Read(_metricsPath);
        (_watch, Best) = (NewWatch(), new BestValidation());
        (SkippedSteps, _skipsInARow) = (0, 0);
        foreach ((int step, double loss) in history.Losses.Where(loss => loss.Step <= completedSteps))
        {
            if (history.Skipped.Contains(step))
            {
                SkippedSteps++;
                _skipsInARow++;
            }
            else
            {
                _skipsInARow = 0;
                _watch.Judge(loss);
            }
        }

        foreach ((int step, double loss) in history.Validations)
        {
            _ = step <= completedSteps && Best.Add(step, loss);
        }
    }

    private LossWatch NewWatch() => new(_trainer.Layout.Options.Model.VocabSize);

    /// <summary>A line when a source of a mixture begins anew.</summary>
    private void TellEpochs()
    {
        for (int source = 0; source < _epochs.Length; source++)
        {
            SourceProgress progress = _batches.Sources[source];
            long epochs = progress.Visited / progress.PerEpoch;
            if (epochs > _epochs[source])
            {
                _epochs[source] = epochs;
                _observer.OnWarning($"step {_trainer.CompletedSteps + 1}: epoch {epochs} of {progress.Name} is complete");
            }
        }
    }

    private void CountEpochs()
    {
        for (int source = 0; source < _epochs.Length; source++)
        {
            _epochs[source] = _batches.Sources[source].Visited / _batches.Sources[source].PerEpoch;
        }
    }

    private static string Named(string description) => description.Length == 0 ? "one source" : description;

    private static string Names(IReadOnlyList<Parameter> parameters)
    {
        const int Most = 5;
        string names = string.Join(", ", parameters.Take(Most).Select(parameter => parameter.Name));
        return parameters.Count > Most ? names + ", ..." : names;
    }

    /// <summary>Mean loss over the held-out data; nothing when there is none, or when it was just done.</summary>
    private void Validate(MetricsFile? metrics)
    {
        if (_validation is null || _validatedStep == _trainer.CompletedSteps)
        {
            return;
        }

        (ValidationLoss, SourceLosses) = Score(_validation);
        if (!double.IsFinite(ValidationLoss))
        {
            throw new RunFailedException(
                $"step {_trainer.CompletedSteps}: the validation loss is {ValidationLoss}; a lower --lr or more --warmup-steps may help")
            { OnAllRanks = true };
        }

        _validatedStep = _trainer.CompletedSteps;
        metrics?.WriteValidation(_trainer.CompletedSteps, ValidationLoss, SourceLosses);
        _observer.OnValidation(_trainer.CompletedSteps, ValidationLoss);
        if (Best.Add(_trainer.CompletedSteps, ValidationLoss) && _options.KeepBest)
        {
            Save();
        }
    }

    /// <summary>Mean over the tokens of all sources, and of each.</summary>
    private (double Loss, IReadOnlyList<(string Name, double Loss)> Sources) Score(IValidationBatches validation)
    {
        if (validation.Parts.Count == 0)
        {
            return (Evaluation.MeanLoss(_trainer, validation).Loss, []);
        }

        var losses = new List<(string Name, double Loss)>();
        double sum = 0;
        long tokens = 0;
        foreach ((string name, IValidationBatches batches) in validation.Parts)
        {
            (double loss, long counted) = Evaluation.MeanLoss(_trainer, batches);
            losses.Add((name, loss));
            sum += loss * counted;
            tokens += counted;
        }

        return (sum / Math.Max(1, tokens), losses);
    }

    /// <summary>A text by the model as it is now; nothing when it was just made.</summary>
    private void Sample()
    {
        if (_sampler is not null && _sampledStep != _trainer.CompletedSteps)
        {
            _sampledStep = _trainer.CompletedSteps;
            string text = _sampler.Sample();
            _samples?.WriteSample(_sampledStep, text);
            _observer.OnSample(_sampledStep, text);
        }
    }

    /// <summary>A checkpoint of this step, unless there is one.</summary>
    private void Save()
    {
        if (_savedStep == _trainer.CompletedSteps)
        {
            return;
        }

        Write();
        _rewinds = 0;
    }

    private void Write()
    {
        var state = new RunState(
            _trainer.CompletedSteps, _tokensSeen, _batches.Position, _trainer.Layout.Options.Seed, _tokenizerFingerprint)
        {
            DataTokens = _batches.DataTokens,
            DataDescription = _batches.Description,
            DataFingerprint = _batches.DataFingerprint,
            NextLearningRate = _trainer.Layout.Options.Schedule.At(_trainer.CompletedSteps),
        };
        ReplicaCheck.Require(_trainer);
        if (Writes)
        {
            string path = Checkpoint.Save(_trainer, state, _options.Directory, _options.ModelFiles);
            CheckpointFolder.Prune(_options.Directory, _options.Keep, _options.KeepBest ? Best.Step : null);
            _observer.OnSaved(path);
        }

        _savedStep = state.Step;
        _lastSave = Stopwatch.GetTimestamp();
    }
}
