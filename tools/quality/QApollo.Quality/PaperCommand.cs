using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using QApollo.Checkpoints;
using QApollo.Cli.Options;

namespace QApollo.Quality;

/// <summary>`qapollo-quality paper`: trains a row of the paper's table 8, and prints what came out beside what is published.</summary>
internal static class PaperCommand
{
    private const int UpdateSequences = 512;

    private static readonly Option<string> Row = new("--row") { Description = string.Join(", ", PaperRow.All.Select(row => row.Name)), DefaultValueFactory = _ => PaperRow.All[0].Name };
    private static readonly Option<string[]> Data = new("--data") { Description = "C4's training files (en/c4-train.*.json.gz).", AllowMultipleArgumentsPerToken = true, Required = true };
    private static readonly Option<string[]> ValidData = new("--valid-data") { Description = "C4's validation files.", AllowMultipleArgumentsPerToken = true };
    private static readonly Option<string> Tokenizer = new("--tokenizer") { Description = "T5-base's spiece.model or tokenizer.json, for numbers that can be compared.", DefaultValueFactory = _ => "bytes" };
    private static readonly Option<int> MicroBatch = new("--micro-batch") { Description = "Sequences at a time; divides 512.", DefaultValueFactory = _ => 32 };
    private static readonly Option<string> OutputDir = new("--output-dir") { Description = "Of the run; goes on where it was stopped.", DefaultValueFactory = _ => "checkpoints/paper" };
    private static readonly Argument<string[]> Extra = new("options") { Description = "After --: options of `qapollo train` that go before the paper's.", Arity = ArgumentArity.ZeroOrMore };

    public static Command Create()
    {
        var command = new Command("paper", "Train a row of the paper's table 8 (C4) and print it beside the published perplexity.") { Row, Data, ValidData, Tokenizer, MicroBatch, OutputDir, Extra };
        command.SetAction(parsed => Execute(parsed));
        return command;
    }

    private static int Execute(ParseResult parsed)
    {
        PaperRow row = PaperRow.Find(parsed.GetValue(Row)!);
        int microBatch = parsed.GetValue(MicroBatch);
        if (microBatch < 1 || UpdateSequences % microBatch != 0)
        {
            throw new UsageException($"--micro-batch: {microBatch} does not divide {UpdateSequences}");
        }

        string[] paper = [.. row.Options(microBatch).SelectMany(option => (string[])[option.Key, option.Value])], extra = parsed.GetValue(Extra) ?? [];

        // Of what is given twice, the last counts. No list stands before what follows --: it would take stray words for more of its own.
        string[] words =
        [
            "--data", .. parsed.GetValue(Data)!, .. parsed.GetValue(ValidData) is { Length: > 0 } valid ? (string[])["--valid-data", .. valid] : [],
            .. paper, "--tokenizer", parsed.GetValue(Tokenizer)!, "--output-dir", parsed.GetValue(OutputDir)!, .. extra,
        ];
        OptionValues asked = PaperOptions.Read(words);
        string directory = asked.Get(TrainOptionTable.OutputDir);

        // A run that was killed before its first checkpoint begins anew.
        bool resume = CheckpointFolder.List(directory).Count > 0;
        if (resume)
        {
            PaperOptions.RequireSame(asked, directory);
        }

        int code = ChildProcess.Run(new ProcessStartInfo("dotnet", [
            Path.Combine(AppContext.BaseDirectory, "qapollo.dll"), "train", .. resume ? (string[])["--resume", "--output-dir", directory, .. extra] : words,
        ]));
        if (code != 0 || asked.Get(TrainOptionTable.DryRun))
        {
            return code;
        }

        int done = CheckpointFolder.List(directory)[^1].Step, updates = asked.Get(TrainOptionTable.MaxSteps);
        if (done < updates)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.Name}: {done:N0} of {updates:N0} updates are done; the same command goes on"));
            return 0;
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{row.Name}: perplexity {Math.Exp(LastValidationLoss(directory)):F2}; published {row.Perplexity:F2} (arXiv 2412.05270, table 8)"));
        string[] others = [.. PaperOptions.Differing(paper, asked), .. asked.GetText(DataOptionTable.Tokenizer) == "bytes" ? (string[])[DataOptionTable.Tokenizer.Name] : []];
        if (others.Length > 0)
        {
            Console.WriteLine($"not to be compared: {string.Join(", ", others)} differ from the paper's");
        }

        return 0;
    }

    private static double LastValidationLoss(string directory)
    {
        string metrics = Path.Combine(directory, "metrics.jsonl");
        string? line = !File.Exists(metrics) ? null : File.ReadLines(metrics).LastOrDefault(line => line.Contains("\"validationLoss\"", StringComparison.Ordinal));
        return line is null
            ? throw new RunFailedException($"{directory} has no validation: give --valid-data, or more text")
            : JsonDocument.Parse(line).RootElement.GetProperty("validationLoss").GetDouble();
    }
}
