using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using QApollo.Batches;
using QApollo.Checkpoints;
using QApollo.Cli.Options;
using QApollo.Cli.Views;
using QApollo.Cuda;
using QApollo.Data;
using QApollo.Data.Tokenizers;
using QApollo.Devices;
using QApollo.Files;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Runs;
using QApollo.Training;
using QApollo.Training.Planning;
using D = QApollo.Cli.Options.DataOptionTable;
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
        (OptionValues values, TrainingOptions wanted, DeviceChoice deviceChoice, ITokenizer tokenizer) = ReadOptions(commandLine, parsed);

        // A resumed run goes on where it began: another device would round otherwise.
        values.Set(T.Device, deviceChoice.Name);
        PlannedRun planned = BudgetSettings.Resolve(values, wanted, deviceChoice);
        TrainingOptions options = planned.Options;
        values.Set(T.LearningRate, options.Schedule.Peak);
        values.Set(T.WarmupSteps, options.Schedule.WarmupSteps);
        TrainSettings.RecordVocabulary(values, options.Model);
        string directory = values.GetText(T.OutputDir)
            ?? Path.Combine("checkpoints", $"{Path.GetFileNameWithoutExtension(values.Get(T.Model))}-{DateTime.Now:yyyyMMdd-HHmmss}");
        bool resume = values.Get(T.Resume);
        RequireFresh(directory, resume);
        using ModelFolder? initial = resume ? null : TrainSettings.OpenInitialWeights(values);
        using IDevice device = deviceChoice.Open();
        TrainingLayout layout = planned.Layout;
        using var interrupt = new InterruptSignal("stopping at the end of this step");
        using TrainingData data = PrepareData(values, tokenizer, options.Seed, interrupt.Token);
        var batchOptions = new BatchOptions(
            options.Shape.BatchSize, options.Shape.SequenceLength, options.Model.VocabSize, tokenizer.EndOfDocument, options.Seed, values.Get(T.Packing));
        IBatchSource batches = data.CreateBatches(batchOptions);
        IValidationBatches? validation = data.CreateValidation(batchOptions, values.Get(T.ValidTokens));

        using var trainer = new Trainer(layout, device);
        QuantizationError quantization = initial?.Load(device, layout.Weights, layout.WeightStaging, compare: true) ?? default;
        RunOptions runOptions = TrainSettings.ToRunOptions(values, directory) with { EvaluateFirst = initial is not null };
        RunSampler? sampler = layout.Sampling is null ? null : new RunSampler(trainer, tokenizer, values.GetText(T.SamplePrompt) ?? string.Empty);
        TextWriter notes = Notes(values);
        Echo(values, notes);
        string model = $"{values.Get(T.Model)}, {options.Model.ParameterCount:N0} parameters";
        notes.WriteLine($"vocabulary: {options.Model.VocabSize:N0} rows for the {tokenizer.VocabularySize:N0} ids of {tokenizer.Description}");
        notes.WriteLine($"model: {model}{(initial is null ? string.Empty : $", weights of {initial.Path}")}");
        if (quantization.Squares > 0)
        {
            notes.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"weights: INT8 groups of {options.Memory.Weights.GroupSize} differ from the stored values by {100 * quantization.Relative:F2} % (root mean square)"));
        }

        ModelSettings.NotePositions(options, initial?.Config, notes);
        notes.WriteLine($"device: {deviceChoice.Describe(device)}");
        RecordProducts(values, device, layout.Plan.Products.Count, notes);
        notes.WriteLine($"data: {data.TrainTokens:N0} tokens to train on, {data.ValidationTokens:N0} held out, by {tokenizer.Description}");
        notes.WriteLine($"documents: {ModelSettings.DocumentMarks(tokenizer)}");
        TellSources(batches, (long)runOptions.MaxSteps * options.Shape.TokensPerStep / options.Shape.SequenceLength, notes);
        notes.WriteLine($"memory: {ByteSize.Format(layout.Plan.DeviceArenaBytes)} in one allocation");
        if (planned.GivenUp.Count > 0)
        {
            notes.WriteLine($"budget: {string.Join("; ", planned.GivenUp.Distinct().Select(concession => $"{concession.Name} ({concession.Cost})"))}");
            notes.WriteLine($"chosen: {string.Join(' ', MemoryChoices.Of(options, device.Profile))}");
        }

        var facts = new RunFacts($"{model}, {directory}", runOptions.MaxSteps, layout.Plan.DeviceArenaBytes, () => Environment.WorkingSet);
        IRunView view = RunViews.Create(facts, values.Get(T.Plain), values.Get(T.Quiet));
        var run = new TrainingRun(runOptions, trainer, batches, validation, tokenizer.Fingerprint, view, sampler);
        if (resume)
        {
            notes.WriteLine($"resumed {run.Resume()}");
            foreach (string change in run.Changes)
            {
                // Also with --quiet: the results will be others.
                Console.WriteLine($"note: {change}");
            }
        }

        Directory.CreateDirectory(directory);
        WriteRunFile(values, directory);
        bool finished = Run(run, trainer.CompletedSteps, view, interrupt);
        string loss = double.IsNaN(run.ValidationLoss) ? string.Empty : string.Create(CultureInfo.InvariantCulture, $", validation loss {run.ValidationLoss:F4}");
        loss += string.Concat(run.SourceLosses.Select(source => string.Create(CultureInfo.InvariantCulture, $", {source.Name} {source.Loss:F4}")));
        Console.WriteLine(finished ? $"done: {directory}{loss}" : $"stopped; go on with: qapollo train --resume --output-dir {directory}");
        return ExitCode.Success;
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

    /// <summary>Where lines go that --quiet leaves out.</summary>
    private static TextWriter Notes(OptionValues values) => values.Get(T.Quiet) ? TextWriter.Null : Console.Out;

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

    private static TrainingData PrepareData(OptionValues values, ITokenizer tokenizer, ulong seed, CancellationToken stop)
    {
        TrainingData data;
        TextWriter notes = Notes(values);
        using (var view = new PreparationView(values.Get(T.Quiet) ? TextWriter.Null : Terminal.Out, !Console.IsOutputRedirected))
        {
            data = DataSettings.Prepare(values, tokenizer, seed, view, notes, stop);
        }

        foreach (string note in data.Notes)
        {
            notes.WriteLine($"note: {note}");
        }

        return data;
    }

    /// <summary>Every option in force, as it would be typed.</summary>
    private static void Echo(OptionValues values, TextWriter notes)
    {
        foreach (IGrouping<string, OptionSpec> group in values.Specs.Where(spec => !spec.IsTransient).GroupBy(spec => spec.Group))
        {
            string[] typed = [.. group.Select(values.Typed).OfType<string>()];
            if (typed.Length > 0)
            {
                notes.WriteLine($"{group.Key}: {string.Join(' ', typed)}");
            }
        }
    }

    /// <exception cref="UsageException">All faults of the command line, a line each.</exception>
    private static (OptionValues Values, TrainingOptions Options, DeviceChoice Device, ITokenizer Tokenizer) ReadOptions(
        CommandLine commandLine, ParseResult parsed)
    {
        var errors = new List<string>();
        OptionValues values = commandLine.Read(parsed, errors);
        if (values.GetText(T.Config) is { } config)
        {
            values.MergeJson(config, errors);
        }

        if (values.Get(T.Resume))
        {
            string? directory = values.GetText(T.OutputDir);
            if (directory is not null && File.Exists(RunFile(directory)))
            {
                values.MergeJson(RunFile(directory), errors);
                TrainSettings.ReadVocabulary(values, directory);
            }
            else
            {
                string found = directory is null ? string.Empty : $"; {directory} holds none (no run.json)";
                errors.Add($"--resume: needs --output-dir, the folder of the run to go on with{found}");
            }
        }

        ITokenizer? tokenizer = Try(() => ModelSettings.TrainingTokenizer(values));
        TrainingOptions? options = Try(() => TrainSettings.ToTrainingOptions(values, tokenizer));
        DeviceChoice? device = Try(() => new DeviceChoice(values));
        DataSettings.CheckPaths(values, errors);
        return errors.Count == 0 ? (values, options!, device!, tokenizer!) : throw new UsageException(string.Join(Environment.NewLine, errors.Distinct()));

        TResult? Try<TResult>(Func<TResult> read)
            where TResult : class
        {
            try
            {
                return read();
            }
            catch (UsageException exception)
            {
                errors.Add(exception.Message);
                return null;
            }
        }
    }

    private static void RequireFresh(string directory, bool resume)
    {
        if (!resume && CheckpointFolder.List(directory).Count > 0)
        {
            throw new UsageException($"--output-dir: {directory} holds a run already; add --resume to go on with it, or name another folder");
        }
    }

    private static string RunFile(string directory) => Path.Combine(directory, "run.json");

    private static void WriteRunFile(OptionValues values, string directory)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            values.WriteJson(writer);
        }

        PendingFile.WriteAll(RunFile(directory), stream.ToArray());
    }
}
