using System.CommandLine;
using System.Globalization;
using QApollo.Batches;
using QApollo.Checkpoints;
using QApollo.Cli.Options;
using QApollo.Cli.Views;
using QApollo.Collectives;
using QApollo.Cpu.Threading;
using QApollo.Cuda;
using QApollo.Cuda.Management;
using QApollo.Data;
using QApollo.Devices;
using QApollo.Files;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Parallel;
using QApollo.Runs;
using QApollo.Runs.TensorBoard;
using QApollo.Training;
using QApollo.Training.Planning;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo train`: text in, a trained model out.</summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        var command = new Command("train", "Train a LLaMA on text.");
        var commandLine = new CommandLine(command, T.All);
        command.SetAction((parsed, cancellation) => Task.Run(() => Execute(commandLine, parsed), cancellation));
        return command;
    }

    private static int Execute(CommandLine commandLine, ParseResult parsed)
    {
        RankGroup group;
        try
        {
            group = RankGroup.Join(Console.Error);
        }
        catch (RunFailedException exception) when (exception.OnAllRanks)
        {
            return ErrorReport.CodeOf(exception);
        }
        catch (UsageException exception)
        {
            return RankFailure.ReportAlone(exception, IsVerbose(parsed));
        }

        using (group)
        {
            try
            {
                return Train(group, commandLine, parsed);
            }
            catch (Exception exception) when (group.Ranks.Size > 1)
            {
                return RankFailure.Report(group.Ranks, exception, IsVerbose(parsed));
            }
        }
    }

    private static bool IsVerbose(ParseResult parsed) => parsed.GetValue<bool>("--verbose");

    private static int Train(RankGroup group, CommandLine commandLine, ParseResult parsed)
    {
        ICommunicator ranks = group.Ranks;
        bool isFirst = ranks.Rank == 0;
        using TrainRequest request = ranks.Together(() => TrainRequest.Read(commandLine, parsed, group));
        (OptionValues values, ITokenizer tokenizer) = (request.Values, request.Tokenizer);
        SessionTime? time = values.IsGiven(T.Hours) ? new SessionTime(TimeSpan.FromHours(values.Get(T.Hours))) : null;

        // A resumed run goes on where it began: another device would round otherwise.
        values.Set(T.Device, RankDevice.Recorded(request.Device, group));
        PlannedRun planned = ranks.Together(() => BudgetSettings.Resolve(values, request.Options, request.Device));
        TrainingOptions options = planned.Options;
        string rate = values.IsGiven(T.LearningRate) ? string.Empty : FormattableString.Invariant($"learning rate: {options.Schedule.Peak} ({request.Model.RateOrigin})");
        values.Set(T.LearningRate, options.Schedule.Peak);
        values.Set(T.WarmupSteps, options.Schedule.WarmupSteps);
        TrainSettings.RecordVocabulary(values, options.Model);
        string directory = values.GetText(T.OutputDir)
            ?? ranks.Broadcast(Path.Combine("checkpoints", $"{Path.GetFileNameWithoutExtension(values.Get(T.Model))}-{DateTime.Now:yyyyMMdd-HHmmss}"));
        bool resume = values.Get(T.Resume);
        using FolderLock? held = ranks.Together(() => isFirst ? Claim(request, directory, resume) : null);
        bool isShown = isFirst && !values.Get(T.Quiet);
        using var loading = new StageView(isShown ? Terminal.Error : TextWriter.Null, !Console.IsErrorRedirected);
        using ModelFolder? initial = ranks.Together(() => resume || request.Model.WeightsFolder is null ? null : new ModelFolder(request.Model.WeightsFolder, loading));
        request.Device.Say = loading.Say;
        using IDevice device = ranks.Together(request.Device.Open);
        TextWriter notes = isShown ? Console.Out : TextWriter.Null;
        using ICommunicator? cards = RankDevice.JoinCards(values, ranks, device, notes);
        TrainingLayout layout = planned.Layout;
        HostMemoryCheck.RequirePinned(layout.Plan.PinnedHostArenaBytes);
        using var interrupt = new InterruptSignal("stopping at the end of this step");
        using TrainingData data = ranks.FirstOnRankZero(() => PrepareData(values, tokenizer, options.Seed, isFirst, notes, interrupt.Token));
        var batchOptions = new BatchOptions(
            options.Shape.BatchSize, options.Shape.SequenceLength, options.Model.VocabSize, tokenizer.EndOfDocument, options.Seed, values.Get(T.Packing));
        IBatchSource batches = ranks.Together(() => data.CreateBatches(batchOptions));
        IValidationBatches? validation = data.CreateValidation(batchOptions, values.Get(T.ValidTokens));

        RankFacts.RequireSame(ranks, values, options, request.Device.Describe(device), tokenizer, batches);
        using Trainer trainer = ranks.Together(() => new Trainer(layout, device, LayerFile(values, directory, ranks.Rank), cards ?? ranks, interrupt.Token));
        QuantizationError quantization = ranks.Together(() => initial?.Load(device, layout.Weights, layout.WeightStaging, compare: true) ?? default);
        using CardSensors? sensors = device is CudaDevice card ? CardSensors.TryOpen(card.Card.PciBusId) : null;
        DevicePause? pause = values.Get(T.Yield) ? Yield(device, sensors, notes) : null;
        RunOptions runOptions = TrainSettings.ToRunOptions(values, directory, held, time) with
        {
            Pause = pause,
            EvaluateFirst = initial is not null,
            ModelFiles = request.ModelFiles,
        };
        RunSampler? sampler = layout.Sampling is null || !isFirst ? null : new RunSampler(trainer, tokenizer, values.GetText(T.SamplePrompt) ?? string.Empty);
        string model = $"{values.Get(T.Model)}, {options.Model.ParameterCount:N0} parameters";
        WriteLines(notes, OptionEcho.Lines(values, all: IsVerbose(parsed)));
        notes.WriteLine($"vocabulary: {options.Model.VocabSize:N0} rows for the {tokenizer.VocabularySize:N0} ids of {tokenizer.Description}");
        notes.WriteLine($"model: {model}{(initial is null ? string.Empty : $", weights of {initial.Path}")}");
        if (quantization.Squares > 0)
        {
            notes.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"weights: INT8 groups of {options.Memory.Weights.GroupSize} differ from the stored values by {100 * quantization.Relative:F2} % (root mean square)"));
        }

        WriteLines(notes, rate.Length > 0 ? [rate] : []);
        notes.WriteLine($"device: {request.Device.Describe(device)}");
        WriteLines(notes, RankFacts.Describe(group, cards ?? ranks, options));
        RecordProducts(values, device, layout.Plan.Products.Count, notes);
        notes.WriteLine($"data: {data.TrainTokens:N0} tokens to train on, {data.ValidationTokens:N0} held out, by {tokenizer.Description}");
        if (validation is ValidationBatches single && ModelSettings.WholeSequences(T.ValidTokens, values, single) is { } note)
        {
            notes.WriteLine($"note: {note}");
        }

        notes.WriteLine($"documents: {ModelSettings.DocumentMarks(tokenizer)}");
        TellSources(batches, (long)runOptions.MaxSteps * ranks.Size * options.Shape.TokensPerStep / options.Shape.SequenceLength, notes);
        notes.WriteLine($"memory: {ByteSize.Format(layout.Plan.DeviceArenaBytes)} in one allocation");
        if (time is not null)
        {
            notes.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"time: {Hours(time)} for this session, until {DateTime.Now + time.Limit - time.Elapsed:yyyy-MM-dd HH:mm}"));
        }

        if (planned.GivenUp.Count > 0)
        {
            notes.WriteLine($"budget: {string.Join("; ", planned.GivenUp.Distinct().Select(concession => $"{concession.Name} ({concession.Cost})"))}");
            notes.WriteLine($"chosen: {string.Join(' ', MemoryChoices.Of(options, request.Device.Profile))}");
        }

        using SensorWatch? watch = sensors is null || !isFirst ? null : new SensorWatch(sensors);
        var facts = new RunFacts(
            $"{model}, {directory}", runOptions.MaxSteps, layout.Plan.DeviceArenaBytes, trainer.AllocatedBytes, () => Environment.WorkingSet, watch is null ? null : () => watch.Latest);
        IRunView view = isFirst ? RunViews.Create(facts, values.Get(T.Plain), values.Get(T.Quiet)) : new QuietView(TextWriter.Null);
        var observers = new RunObservers(view);
        var run = new TrainingRun(runOptions, trainer, batches, validation, tokenizer.Fingerprint, observers, sampler) { Reading = loading, Sensors = watch };
        if (resume)
        {
            notes.WriteLine($"resumed {ranks.Together(run.Resume)}");
        }

        // Also with --quiet: the results will be others.
        TextWriter lasting = isFirst ? Console.Out : TextWriter.Null;
        WriteLines(lasting, request.Notes.Concat(run.Changes).Concat(SpaceNotes(layout, directory, runOptions.Keep)).Select(note => $"note: {note}").Concat(request.Changes.Select(change => $"changed: {change}")));
        if (values.Get(T.DryRun))
        {
            lasting.WriteLine($"dry run: ready for step {trainer.CompletedSteps + 1:N0} of {runOptions.MaxSteps:N0}; nothing was trained, {directory} is as it was");
            return ExitCode.Success;
        }

        if (isFirst)
        {
            RunFile.Write(values, directory);
            SessionFile.Append(directory, trainer.CompletedSteps, request.Device.Describe(device), ByteSize.Format(layout.Plan.DeviceArenaBytes) + " in one allocation");
        }

        using TensorBoardLog? events = values.Get(T.TensorBoard) && isFirst
            ? new TensorBoardLog(directory, trainer.CompletedSteps, values.Specs.Where(spec => !spec.IsTransient).Select(spec => (spec.Name, values.Shown(spec))), view.OnWarning)
            : null;
        if (events is not null)
        {
            observers.Add(events);
        }

        request.Device.Say = isShown ? view.Say : request.Device.Say;
        bool finished;
        try
        {
            finished = Run(run, trainer.CompletedSteps, view, interrupt);
        }
        catch (Exception exception) when (exception is RunFailedException or IOException or UnauthorizedAccessException)
        {
            // The course up to there tells why, perhaps.
            WriteLines(notes, isFirst ? [PageOf(directory)] : []);
            throw;
        }

        if (pause is not null)
        {
            notes.WriteLine(string.Create(CultureInfo.InvariantCulture, $"yielded: pauses of {pause.Total.TotalSeconds:N0} seconds in all"));
        }

        if (watch is not null)
        {
            watch.Update();
            SessionFile.AddEnergy(directory, watch.Joules);
        }

        WriteLines(notes, isFirst ? [PageOf(directory)] : []);
        string loss = double.IsNaN(run.ValidationLoss) ? string.Empty : string.Create(CultureInfo.InvariantCulture, $", validation loss {run.ValidationLoss:F4}");
        loss += string.Concat(run.SourceLosses.Select(source => string.Create(CultureInfo.InvariantCulture, $", {source.Name} {source.Loss:F4}")));
        if (runOptions.KeepBest && run.Best.Step > 0 && run.Best.Since > 0)
        {
            loss += string.Create(CultureInfo.InvariantCulture, $"; best {run.Best.Loss:F4}: {Path.Combine(directory, CheckpointFolder.NameOf(run.Best.Step))}");
        }

        string skipped = run.SkippedSteps > 0 ? string.Create(CultureInfo.InvariantCulture, $", {run.SkippedSteps:N0} updates skipped") : string.Empty;
        string why = run.IsOutOfTime
            ? string.Create(CultureInfo.InvariantCulture, $"after step {trainer.CompletedSteps:N0} of {runOptions.MaxSteps:N0}, {Hours(time)} are over")
            : "stopped";
        string next = trainer.CompletedSteps > 0 ? $"go on with: qapollo train --resume --output-dir {ShellWord.Quote(directory)}" : "no step was done: start again, there is nothing to go on with";
        lasting.WriteLine(finished ? $"done: {directory}{loss}{skipped}" : $"{why}{skipped}; {next}");
        int stopped = ranks.Max(InterruptSignal.ExitCode ?? ExitCode.Failure);
        return finished || run.IsOutOfTime ? ExitCode.Success : stopped;
    }

    /// <summary>Writes the page of a run; says where it is, or why there is none.</summary>
    private static string PageOf(string directory) => ReportCommand.TryWrite(directory) ?? $"report: {Path.Combine(directory, ReportCommand.FileName)}";

    /// <summary>Lowers the priority of the process; says what happens on a card.</summary>
    /// <returns>Null where the processor computes: the system's scheduler is enough there.</returns>
    private static DevicePause? Yield(IDevice device, CardSensors? sensors, TextWriter notes)
    {
        LowPriority.Take();
        if (device is not CudaDevice)
        {
            notes.WriteLine("yield: at low priority");
            return null;
        }

        notes.WriteLine(sensors?.AreOthersAtWork() is null
            ? "yield: at low priority; nothing here tells who else computes on the card: a pause follows each step, as long as the step"
            : "yield: at low priority; while another process computes on the card, a pause follows each step, as long as the step");
        return new DevicePause(() => sensors?.AreOthersAtWork());
    }

    /// <param name="time">Null on a rank that another one's time ends.</param>
    private static string Hours(SessionTime? time) => time is null
        ? "the hours of another rank"
        : string.Create(CultureInfo.InvariantCulture, $"{time.Limit.TotalHours:0.###} hours");

    /// <summary>Takes the folder of the run for the rank that writes there.</summary>
    private static FolderLock Claim(TrainRequest request, string directory, bool resume)
    {
        FolderLock held = request.Held ?? FolderLock.Take(directory, RunOptions.Work);
        try
        {
            if (!resume)
            {
                RunFile.RequireFresh(directory);
            }

            return held;
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>A line where a checkpoint does not fit: hours of training would end with nothing saved. No refusal: room can be made until then.</summary>
    private static IEnumerable<string> SpaceNotes(TrainingLayout layout, string directory, int keep)
    {
        long bytes = Checkpoint.Bytes(layout);
        if (DiskSpace.Free(directory) is { } free && free < bytes)
        {
            string kept = keep > 0 ? FormattableString.Invariant($", and --keep {keep} needs room for {keep + 1}") : string.Empty;
            yield return $"the disk of {directory} has {ByteSize.Format(free)} free, too little for a checkpoint of {ByteSize.Format(bytes)}{kept}: make room before the first save, or name another place with --output-dir";
        }
    }

    /// <summary>Where layers wait on disk. What a process left in its run's folder that was killed as it made the file goes first.</summary>
    private static string LayerFile(OptionValues values, string directory, int rank)
    {
        string suffix = rank == 0 ? string.Empty : $".{rank}";
        if (values.GetText(T.LayerFile) is { } named)
        {
            return named + suffix;
        }

        string own = Path.Combine(directory, "layers.tmp" + suffix);
        if (File.Exists(RunFile.In(directory)) && File.Exists(own))
        {
            File.Delete(own);
        }

        return own;
    }

    private static bool Run(TrainingRun run, int completedSteps, IRunView view, InterruptSignal interrupt)
    {
        using (view)
        {
            (interrupt.Say, interrupt.Abort) = (view.OnWarning, view.Abort);
            view.Begin(completedSteps);
            return run.Run(interrupt.Token);
        }
    }

    /// <summary>Who multiplies what was measured: a resumed run keeps to it, to leave the same bytes.</summary>
    private static void RecordProducts(OptionValues values, IDevice device, int products, TextWriter notes)
    {
        if (device is not CudaDevice cuda || values.Get(T.Gemm) != GemmChoice.Auto)
        {
            return;
        }

        values.Set(T.GemmProducts, (string[])[.. cuda.ProductsByCublasLt.Select(product => product.ToString())]);
        if (cuda.CublasLt is { } library)
        {
            notes.WriteLine($"products: {cuda.ProductsByCublasLt.Count} of {products} by cuBLASLt {library.Version} ({library.Path})");
        }
    }

    /// <summary>A line for each source of a mixture: its share, and how often the run reads it.</summary>
    private static void TellSources(IBatchSource batches, long sequences, TextWriter notes)
    {
        double weights = batches.Sources.Sum(source => source.Weight);
        foreach (SourceProgress source in batches.Sources)
        {
            double share = source.Weight / weights;
            notes.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"source {source.Name}: {share:P1} of the sequences; it has {source.PerEpoch:N0}, so that its share is {share * sequences / source.PerEpoch:F2} epochs"));
        }
    }

    private static TrainingData PrepareData(OptionValues values, ITokenizer tokenizer, ulong seed, bool isShown, TextWriter notes, CancellationToken stop)
    {
        TrainingData data;
        using (var view = new PreparationView(values.Get(T.Quiet) || !isShown ? TextWriter.Null : Terminal.Out, !Console.IsOutputRedirected))
        {
            data = DataSettings.Prepare(values, tokenizer, seed, view, notes, stop);
        }

        foreach (string note in data.Notes)
        {
            notes.WriteLine($"note: {note}");
        }

        return data;
    }

    private static void WriteLines(TextWriter writer, IEnumerable<string> lines)
    {
        foreach (string line in lines)
        {
            writer.WriteLine(line);
        }
    }
}
