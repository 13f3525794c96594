using System.CommandLine;
using System.Text;
using QApollo.Files;

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
            string results = parsed.GetValue(Results)!;
            ResultsFile.RequireName(results);
            int tuningSeed = SharedOptions.AtLeast(parsed, TuningSeed, 1);
            if (parsed.GetValue(Beside) is { } reference)
            {
                Print(results, tuningSeed, reference);
            }
            else
            {
                Execute(results, tuningSeed, parsed.GetValue(Document)!);
            }

            return 0;
        });
        return command;
    }

    private static void Execute(string results, int tuningSeed, string document)
    {
        if (!File.Exists(document))
        {
            throw new UsageException($"--document: {document} is no file; name a Markdown file with a line {Begin.TrimEnd()}");
        }

        List<StudyResult> runs = ResultsFile.Read(results);
        string text = File.ReadAllText(document).ReplaceLineEndings("\n");
        int begin = text.IndexOf(Begin, StringComparison.Ordinal);
        if (runs.Count == 0 || begin < 0)
        {
            throw new UsageException(runs.Count == 0 ? $"--results: {results} has no runs" : $"--document: {document} has no line {Begin.TrimEnd()}");
        }

        string tables = "";
        string folder = Path.GetDirectoryName(Path.GetFullPath(document))!;
        List<(string Path, string Text)> files = [];
        HashSet<string> names = [];
        foreach (IGrouping<Shape, StudyResult> study in runs.GroupBy(Shape.Of))
        {
            StudyResult[] reported = [.. study.Where(run => run.Seed < tuningSeed)], tuned = [.. study.Where(run => run.Seed >= tuningSeed)];
            if (reported.Length > 0)
            {
                IReadOnlyList<SettingSummary> settings = SettingSummary.Of(reported);
                string name = study.Key.FileNames.First(names.Add);
                string drawing = "";
                if (StudyTables.HasErrors(settings))
                {
                    files.Add((Path.Combine(folder, name), StudyTables.Svg(settings)));
                    drawing = $"![Differences to F32 APOLLO-Mini]({name})\n\n";
                }

                tables += $"\n## {study.Key}, text {study.Key.Data}\n\n{drawing}{StudyTables.Markdown(settings)}";
            }

            if (tuned.Length > 0)
            {
                tables += $"\n## Tuning: {study.Key}, seeds from {tuningSeed}\n\n{StudyTables.TuningMarkdown(SettingSummary.Of(tuned))}";
            }
        }

        files.Add((document, text[..(begin + Begin.Length)] + tables));
        WriteAll(files);
    }

    /// <summary>All or none, as far as the disk can tell before names are changed: a document beside drawings of other runs would mislead.</summary>
    private static void WriteAll(IReadOnlyList<(string Path, string Text)> files)
    {
        var pending = new Stack<PendingFile>();
        try
        {
            foreach ((string path, string text) in files)
            {
                var file = new PendingFile(path);
                pending.Push(file);
                file.Write(Encoding.UTF8.GetBytes(text));
            }

            foreach (PendingFile file in pending.Reverse())
            {
                file.Commit();
            }
        }
        finally
        {
            foreach (PendingFile file in pending)
            {
                file.Dispose();
            }
        }
    }

    private static void Print(string results, int tuningSeed, string reference)
    {
        IGrouping<Shape, StudyResult>[] studies = [.. ResultsFile.Read(results).Where(run => run.Seed < tuningSeed).GroupBy(Shape.Of).Where(study => study.Any(run => run.Setting == reference))];
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
    private readonly record struct Shape(string Model, int Steps, int BatchSize, int SequenceLength, string Data, long ValidTokens)
    {
        /// <summary>For its drawing, the first that is free: one text's keeps the plain name, however many join it later.</summary>
        public IEnumerable<string> FileNames
        {
            get
            {
                string plain = $"quality-{Model}-{Steps}-{BatchSize}x{SequenceLength}";
                return [$"{plain}.svg", $"{plain}-{Data}.svg", $"{plain}-{Data}-{ValidTokens}.svg"];
            }
        }

        public static Shape Of(StudyResult run) => new(run.Model, run.Steps, run.BatchSize, run.SequenceLength, run.Data, run.ValidTokens);

        public override string ToString() => $"{Model}, {Steps} steps of {BatchSize} x {SequenceLength} tokens";
    }
}
