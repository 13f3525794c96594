using System.Globalization;

namespace QApollo.Reports;

/// <summary>One run, or several beside each other, as a self-contained page.</summary>
public static class RunReportHtml
{
    private const int MostSamples = 8;
    private const int MostSampleCharacters = 4000;

    /// <summary>Figure keys are part and curve of <see cref="RunReportJson"/>.</summary>
    private static readonly (string Key, string Title, bool Smooth, bool Log)[] Figures =
    [
        ("train.loss validation.loss", "loss, in nats: training and validation", true, true),
        ("train.gradientNorm", "norm of the gradient", true, true),
        ("train.lr", "learning rate", false, false),
        ("train.tokensPerSecond", "tokens per second", true, false),
        ("train.changedShare", "share of the weights that a step changed", true, false),
        ("health.updatesLost", "share of the updates lost to rounding", false, false),
        ("health.noiseRatio", "rounding noise beside the update", false, false),
        ("health.codesChanged", "share of the INT8 codes that changed", false, false),
        ("health.groupsRegridded", "share of the groups with a new grid", false, false),
        ("health.limited", "share of the matrices that the norm-growth limiter bound", false, false),
    ];

    /// <param name="refreshSeconds">After which a browser reads the page anew; 0 for never.</param>
    public static string ToHtml(IReadOnlyList<RunReport> runs, int refreshSeconds = 0)
    {
        string title = runs.Count == 1 ? $"Run {runs[0].Name}" : $"{runs.Count} runs";
        string[] names = UniqueNames(runs);
        var page = new HtmlPage();
        page.Add($"<h1>{HtmlPage.Escape(title)}</h1>");
        page.Add($"<p class=\"soft\">{HtmlPage.Escape(string.Join(", ", runs.Select(run => run.Folder)))}</p>");
        if (runs.Count == 1)
        {
            page.Tiles(Tiles(runs[0]));
        }

        AddCurves(page, runs, names);
        page.Heading("Result and cost");
        page.Table(
            ["run", "steps", "tokens", "hours in steps", "tokens per second", "last loss", "last validation", "best validation", "at step"],
            runs.Select((run, index) => Escaped([names[index], .. Result(run)])), 1, 2, 3, 4, 5, 6, 7, 8);
        page.Paragraph("Losses are means per token, in nats. Hours are those of the steps: validation, samples and checkpoints come on top.");
        AddSamples(page, runs, names);
        AddFacts(page, "Options", runs, names, run => run.Options);
        AddFacts(page, "Environment", runs, names, run => run.Environment);
        page.Curves(RunReportJson.Of([.. runs.Select((run, index) => (names[index], run.Curves))]));
        return page.ToString(title, refreshSeconds);
    }

    private static IEnumerable<(string, string)> Tiles(RunReport run)
    {
        RunCurves curves = run.Curves;
        yield return (run.MaxSteps is int most ? $"{Whole(curves.End.Step)} of {Whole(most)}" : Whole(curves.End.Step), run.IsRunning ? "steps, running" : "steps");
        yield return (Loss(curves.LastLoss), "training loss of the last step");
        yield return (Loss(curves.BestValidation.Loss), "best validation loss");
        yield return (Whole(curves.End.Tokens), "tokens trained on");
        yield return (Hours(curves.End.Seconds), "hours in steps");
        foreach ((string name, string value) in run.Environment.Where(fact => fact.Name.EndsWith("memory", StringComparison.Ordinal)))
        {
            yield return (value, name);
        }
    }

    private static void AddCurves(HtmlPage page, IReadOnlyList<RunReport> runs, string[] names)
    {
        page.Add("""
            <noscript><p>The curves need the script of this page; the tables below do not.</p></noscript>
            <div class="controls"><label><input type="radio" name="axis" value="step" checked>steps</label><label><input type="radio" name="axis" value="tokens">tokens</label>
            <label><input type="radio" name="axis" value="hours">hours</label><label>smoothing<input id="smoothing" type="range" min="0" max="0.99" step="0.01" value="0.8"></label>
            <label><input id="log" type="checkbox">logarithmic</label></div>
            """);
        // Of a single run, the validation has the second colour; of several, it is dashed.
        string[] legend = runs.Count > 1 ? names : ["training", "validation"];
        page.Add($"<p>{string.Join(" &nbsp; ", legend.Select((name, index) => $"<span class=\"chip\" data-run=\"{index}\"></span>{HtmlPage.Escape(name)}"))}{(runs.Count > 1 ? " &nbsp; dashed: validation" : string.Empty)}</p>");

        page.Add("<div class=\"curves\">");
        foreach ((string key, string title, bool smooth, bool log) in Figures)
        {
            string main = key == Figures[0].Key ? " main" : string.Empty;
            page.Add($"<figure class=\"curve{main}\" data-key=\"{key}\" data-smooth=\"{(smooth ? "yes" : "no")}\" data-log=\"{(log ? "yes" : "no")}\"><figcaption>{HtmlPage.Escape(title)}</figcaption></figure>");
        }

        page.Add("</div>");
        foreach (RunReport run in runs.Where(run => run.Curves.DamagedLines > 0))
        {
            page.Paragraph($"{run.Name}: {run.Curves.DamagedLines} lines of its metrics were cut short or are none of a run's, and left out.");
        }
    }

    private static string[] Result(RunReport run)
    {
        RunCurves curves = run.Curves;
        RunPosition end = curves.End;
        return
        [
            Whole(end.Step), Whole(end.Tokens), Hours(end.Seconds), end.Seconds > 0 ? Whole(end.Tokens / end.Seconds) : "-", Loss(curves.LastLoss), Loss(curves.LastValidation),
            Loss(curves.BestValidation.Loss), double.IsNaN(curves.BestValidation.Loss) ? "-" : Whole(curves.BestValidation.Step),
        ];
    }

    private static void AddSamples(HtmlPage page, IReadOnlyList<RunReport> runs, string[] names)
    {
        if (runs.All(run => run.Samples.Count == 0))
        {
            return;
        }

        page.Heading("Samples");
        for (int i = 0; i < runs.Count; i++)
        {
            foreach ((int step, string text) in runs[i].Samples.TakeLast(runs.Count == 1 ? MostSamples : 1).Reverse())
            {
                string shown = text.Length > MostSampleCharacters ? string.Concat(text.AsSpan(0, MostSampleCharacters), "...") : text;
                page.Add($"<p class=\"soft\">{HtmlPage.Escape(runs.Count == 1 ? string.Empty : names[i] + ", ")}after step {Whole(step)}</p><pre>{HtmlPage.Escape(shown)}</pre>");
            }
        }
    }

    /// <summary>A column for each run; what is the same in all of them lies folded away.</summary>
    private static void AddFacts(HtmlPage page, string heading, IReadOnlyList<RunReport> runs, string[] names, Func<RunReport, IReadOnlyList<(string Name, string Value)>> facts)
    {
        string[] keys = [.. runs.SelectMany(run => facts(run).Select(fact => fact.Name)).Distinct()];
        if (keys.Length == 0)
        {
            return;
        }

        string[][] rows = [.. keys.Select(key => (string[])[key, .. runs.Select(run => facts(run).FirstOrDefault(fact => fact.Name == key).Value ?? "-")])];
        string[][] different = [.. rows.Where(row => row.Skip(1).Distinct().Count() > 1)];
        page.Heading(heading);
        if (runs.Count > 1)
        {
            page.Paragraph(different.Length == 0 ? "The same in all runs." : "Where the runs differ:");
            if (different.Length > 0)
            {
                page.Table(["", .. names], different.Select(Escaped));
            }
        }

        page.Add($"<details{(runs.Count == 1 && rows.Length < 12 ? " open" : string.Empty)}><summary>all {rows.Length}</summary>");
        page.Table(["", .. names], rows.Select(Escaped));
        page.Add("</details>");
    }

    /// <summary>Folder names; where two runs have the same, the folders as they were named.</summary>
    private static string[] UniqueNames(IReadOnlyList<RunReport> runs) =>
        [.. runs.Select(run => runs.Count(other => other.Name == run.Name) == 1 ? run.Name : run.Folder)];

    private static string[] Escaped(string[] row) => [.. row.Select(HtmlPage.Escape)];

    private static string Whole(double number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static string Hours(double seconds) => (seconds / 3600).ToString(seconds < 3600 ? "0.0000" : "0.00", CultureInfo.InvariantCulture);

    private static string Loss(double loss) => double.IsNaN(loss) ? "-" : loss.ToString("F4", CultureInfo.InvariantCulture);
}
