using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

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

        string directory = parsed.GetValue(OutputDir)!;
        Dictionary<string, string> options = row.Options(microBatch);
        (string, string)[] changes = [.. Pairs(parsed.GetValue(Extra) ?? [])];
        string[] differing = [.. changes.Where(change => options.TryGetValue(change.Item1, out string? value) && value != change.Item2).Select(change => change.Item1)];
        foreach ((string option, string value) in changes)
        {
            options[option] = value;
        }

        bool resume = File.Exists(Path.Combine(directory, "run.json"));
        int code = Train(resume ? ["--resume", "--output-dir", directory] :
        [
            .. options.SelectMany(option => (string[])[option.Key, option.Value]), "--tokenizer", parsed.GetValue(Tokenizer)!, "--output-dir", directory,
            "--data", .. parsed.GetValue(Data)!, .. parsed.GetValue(ValidData) is { Length: > 0 } valid ? (string[])["--valid-data", .. valid] : [],
        ]);
        if (code != 0)
        {
            return code;
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{row.Name}: perplexity {Math.Exp(LastValidationLoss(directory)):F2}; published {row.Perplexity:F2} (arXiv 2412.05270, table 8)"));
        string[] others = [.. differing, .. parsed.GetValue(Tokenizer) == "bytes" ? (string[])["--tokenizer"] : []];
        if (others.Length > 0)
        {
            Console.WriteLine($"not to be compared: {string.Join(", ", others)} differ from the paper's");
        }

        return 0;
    }

    /// <exception cref="UsageException">They are no pairs.</exception>
    private static IEnumerable<(string Option, string Value)> Pairs(string[] words)
    {
        for (int i = 0; i < words.Length; i += 2)
        {
            yield return words[i].StartsWith("--", StringComparison.Ordinal) && i + 1 < words.Length
                ? (words[i], words[i + 1])
                : throw new UsageException($"after --: '{words[i]}' is no option with a value");
        }
    }

    /// <summary>The program that lies beside this one.</summary>
    private static int Train(IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "qapollo.dll"), "train", .. arguments]);
        using Process process = Process.Start(start) ?? throw new RunFailedException("dotnet does not start");
        process.WaitForExit();
        return process.ExitCode;
    }

    private static double LastValidationLoss(string directory)
    {
        string? line = File.ReadLines(Path.Combine(directory, "metrics.jsonl")).LastOrDefault(line => line.Contains("\"validationLoss\"", StringComparison.Ordinal));
        return line is null
            ? throw new RunFailedException($"{directory} has no validation: give --valid-data, or more text")
            : JsonDocument.Parse(line).RootElement.GetProperty("validationLoss").GetDouble();
    }
}
