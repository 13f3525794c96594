using System.CommandLine;

namespace QApollo.Quality;

/// <summary>`qapollo-quality tables`: writes what a study found into a document, below its text, and draws it beside.</summary>
internal static class TablesCommand
{
    /// <summary>What follows it in the document is written anew.</summary>
    private const string Begin = "<!-- tables -->\n";

    private static readonly Option<string> Results = new("--results") { Description = "Of the study.", DefaultValueFactory = _ => "tools/quality/results/study.jsonl" };
    private static readonly Option<int> TuningSeed = new("--tuning-seed") { Description = "Seeds from here on were used for tuning.", DefaultValueFactory = _ => 101 };
    private static readonly Option<string> Document = new("--document") { Description = "Markdown with a line `<!-- tables -->`.", DefaultValueFactory = _ => "docs/quality.md" };

    private static readonly Option<string> Beside = new("--beside") { Description = "Print the differences to this setting instead, and write nothing." };

    public static Command Create()
    {
        var command = new Command("tables", "Write what a study found into docs/quality.md and docs/quality-*.svg.") { Results, TuningSeed, Document, Beside };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(Beside) is { } reference)
            {
                Print(parsed.GetValue(Results)!, parsed.GetValue(TuningSeed), reference);
            }
            else
            {
                Execute(parsed.GetValue(Results)!, parsed.GetValue(TuningSeed), parsed.GetValue(Document)!);
            }

            return 0;
        });
        return command;
    }

    private static void Execute(string results, int tuningSeed, string document)
    {
        List<StudyResult> runs = StudyResult.ReadAll(results);
        string text = File.ReadAllText(document).ReplaceLineEndings("\n");
        int begin = text.IndexOf(Begin, StringComparison.Ordinal);
        if (runs.Count == 0 || begin < 0)
        {
            throw new UsageException(runs.Count == 0 ? $"--results: {results} has no runs" : $"--document: {document} has no line {Begin.TrimEnd()}");
        }

        string tables = "";
        foreach (IGrouping<Shape, StudyResult> study in runs.GroupBy(Shape.Of))
        {
            StudyResult[] reported = [.. study.Where(run => run.Seed < tuningSeed)], tuned = [.. study.Where(run => run.Seed >= tuningSeed)];
            if (reported.Length > 0)
            {
                IReadOnlyList<SettingSummary> settings = SettingSummary.Of(reported);
                tables += $"\n## {study.Key}, text {study.Key.Data}\n\n{Draw(settings, document, study.Key.FileName)}{StudyTables.Markdown(settings)}";
            }

            if (tuned.Length > 0)
            {
                tables += $"\n## Tuning: {study.Key}, seeds from {tuningSeed}\n\n{StudyTables.TuningMarkdown(SettingSummary.Of(tuned))}";
            }
        }

        File.WriteAllText(document, text[..(begin + Begin.Length)] + tables);
    }

    private static void Print(string results, int tuningSeed, string reference)
    {
        IGrouping<Shape, StudyResult>[] studies = [.. StudyResult.ReadAll(results).Where(run => run.Seed < tuningSeed).GroupBy(Shape.Of).Where(study => study.Any(run => run.Setting == reference))];
        if (studies.Length == 0)
        {
            throw new UsageException($"--beside: no run of {results} has the setting '{reference}'");
        }

        foreach (IGrouping<Shape, StudyResult> study in studies)
        {
            Console.WriteLine($"## {study.Key}, text {study.Key.Data}\n\n{StudyTables.Markdown(SettingSummary.Of([.. study], reference), reference)}");
        }
    }

    /// <summary>What runs must have in common to be compared.</summary>
    private readonly record struct Shape(string Model, int Steps, int BatchSize, int SequenceLength, string Data)
    {
        public string FileName => $"quality-{Model}-{Steps}-{BatchSize}x{SequenceLength}.svg";

        public static Shape Of(StudyResult run) => new(run.Model, run.Steps, run.BatchSize, run.SequenceLength, run.Data);

        public override string ToString() => $"{Model}, {Steps} steps of {BatchSize} x {SequenceLength} tokens";
    }

    /// <summary>A drawing beside the document; what shows it there.</summary>
    private static string Draw(IReadOnlyList<SettingSummary> settings, string document, string name)
    {
        if (!StudyTables.HasErrors(settings))
        {
            return "";
        }

        File.WriteAllText(Path.Combine(Path.GetDirectoryName(Path.GetFullPath(document))!, name), StudyTables.Svg(settings));
        return $"![Differences to F32 APOLLO-Mini]({name})\n\n";
    }
}
