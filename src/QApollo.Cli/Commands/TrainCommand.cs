using System.CommandLine;
using System.Text.Json;
using QApollo.Checkpoints;
using QApollo.Cli.Options;
using QApollo.Cli.Views;
using QApollo.Data;
using QApollo.Data.Tokenizers;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Training;
using QApollo.Training.Planning;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo train`: text in, a trained model out.</summary>
internal static class TrainCommand
{
    /// <summary>Text that a default run looks at: enough for the demo, and read in a second.</summary>
    private const long SdkTextBytes = 16L << 20;

    public static Command Create()
    {
        var command = new Command("train", "Train a LLaMA on text.");
        var commandLine = new CommandLine(command, T.All);
        command.SetAction((parsed, cancellation) => Task.Run(() => Execute(commandLine, parsed), cancellation));
        return command;
    }

    private static int Execute(CommandLine commandLine, ParseResult parsed)
    {
        OptionValues values = ReadOptions(commandLine, parsed);
        var deviceChoice = new DeviceChoice(values, defaultText: "cpu");
        PlannedRun planned = BudgetSettings.Resolve(values, TrainSettings.ToTrainingOptions(values), deviceChoice);
        TrainingOptions options = planned.Options;
        string directory = values.GetText(T.OutputDir)
            ?? Path.Combine("checkpoints", $"{Path.GetFileNameWithoutExtension(values.Get(T.Model))}-{DateTime.Now:yyyyMMdd-HHmmss}");
        bool resume = values.Get(T.Resume);
        RequireFresh(directory, resume);

        var tokenizer = new ByteTokenizer();
        if (tokenizer.VocabularySize > options.Model.VocabSize)
        {
            throw new UsageException($"--model: a vocabulary of {options.Model.VocabSize} is too small for the tokenizer's {tokenizer.VocabularySize}");
        }

        var batchOptions = new BatchOptions(
            options.Shape.BatchSize, options.Shape.SequenceLength, options.Model.VocabSize, tokenizer.EndOfDocument, options.Seed, values.Get(T.Packing));
        using TokenDataset corpus = ReadCorpus(values, tokenizer);
        (TokenDataset train, TokenDataset valid) = Split(corpus, values.Get(T.ValidShare));
        var batches = new BatchSource(train, batchOptions);
        ValidationBatches? validation = valid.Count > 1 ? new ValidationBatches(valid, batchOptions, values.Get(T.ValidTokens)) : null;

        using IDevice device = deviceChoice.Open();
        TrainingLayout layout = planned.Layout;
        using var trainer = new Trainer(layout, device);
        RunOptions runOptions = TrainSettings.ToRunOptions(values, directory);
        var run = new TrainingRun(
            runOptions, trainer, batches, validation, tokenizer.Fingerprint, new PlainView(Console.Out, runOptions.MaxSteps));
        Console.WriteLine($"model: {values.Get(T.Model)}, {layout.Weights.All.Sum(weight => weight.Parameter.Elements):N0} parameters");
        Console.WriteLine($"data: {train.Count:N0} tokens to train on, {valid.Count:N0} held out");
        Console.WriteLine($"memory: {ByteSize.Format(layout.Plan.DeviceArenaBytes)} in one allocation");
        if (planned.GivenUp.Count > 0)
        {
            Console.WriteLine($"budget: {string.Join("; ", planned.GivenUp.Distinct().Select(concession => $"{concession.Name} ({concession.Cost})"))}");
            Console.WriteLine($"chosen: {string.Join(' ', MemoryChoices.Of(options, device.Profile))}");
        }

        if (resume)
        {
            Console.WriteLine($"resumed {run.Resume()}");
        }

        Directory.CreateDirectory(directory);
        WriteRunFile(values, directory);
        using var interrupt = new InterruptSignal();
        bool finished = run.Run(interrupt.Token);
        Console.WriteLine(finished ? $"done: {directory}" : $"stopped; go on with: qapollo train --resume --output-dir {directory}");
        return ExitCode.Success;
    }

    private static OptionValues ReadOptions(CommandLine commandLine, ParseResult parsed)
    {
        var errors = new List<string>();
        OptionValues values = commandLine.Read(parsed, errors);
        if (values.GetText(T.Config) is { } config)
        {
            values.MergeJson(config, errors);
        }

        if (values.Get(T.Resume))
        {
            if (values.GetText(T.OutputDir) is { } directory && File.Exists(RunFile(directory)))
            {
                values.MergeJson(RunFile(directory), errors);
            }
            else
            {
                errors.Add("--resume: needs --output-dir, the folder of the run to go on with");
            }
        }

        return errors.Count == 0 ? values : throw new UsageException(string.Join(Environment.NewLine, errors));
    }

    private static void RequireFresh(string directory, bool resume)
    {
        if (!resume && CheckpointFolder.List(directory).Count > 0)
        {
            throw new UsageException($"--output-dir: {directory} holds a run already; add --resume to go on with it, or name another folder");
        }
    }

    private static TokenDataset ReadCorpus(OptionValues values, ByteTokenizer tokenizer)
    {
        string[] paths = values.Get(T.Data);
        if (paths.Length > 0)
        {
            return TokenDataset.FromDocuments(tokenizer, new DocumentSource(Corpus.Find(paths)).Read());
        }

        SdkDocumentation documentation = SdkDocumentation.Find();
        Console.WriteLine($"no --data: {documentation.Description}");
        return TokenDataset.FromDocuments(tokenizer, documentation.ReadDocuments(SdkTextBytes));
    }

    private static (TokenDataset Train, TokenDataset Valid) Split(TokenDataset corpus, double validShare)
    {
        long held = (long)(corpus.Count * validShare);
        return (corpus.Slice(0, corpus.Count - held), corpus.Slice(corpus.Count - held, held));
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
