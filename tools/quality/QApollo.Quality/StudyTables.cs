using System.Globalization;
using System.Text;

namespace QApollo.Quality;

/// <summary>A setting's runs beside those of the reference at the same seeds.</summary>
/// <param name="Loss">Mean over its seeds.</param>
/// <param name="Difference">Mean of its loss minus the reference's at the same seed (and learning rate, where the reference has it), in nats per token; null without common seeds.</param>
/// <param name="Error">Standard error of that mean; null with fewer than two.</param>
internal sealed record SettingSummary(string Setting, double LearningRate, int Seeds, double Loss, double? Difference, double? Error)
{
    /// <summary>One for each setting and learning rate, in the order of <see cref="Quality.Setting.All"/>.</summary>
    /// <param name="beside">The reference.</param>
    public static IReadOnlyList<SettingSummary> Of(IReadOnlyList<StudyResult> results, string beside = Quality.Setting.Reference)
    {
        // Loss by seed, by learning rate.
        var references = results.Where(result => result.Setting == beside).GroupBy(result => result.LearningRate)
            .ToDictionary(runs => runs.Key, runs => runs.GroupBy(run => run.Seed).ToDictionary(same => same.Key, same => same.First().Loss));
        return
        [
            .. results.GroupBy(result => (result.Setting, result.LearningRate)).OrderBy(runs => Order(runs.Key.Setting)).Select(runs =>
            {
                Dictionary<int, double> reference = ReferenceFor(runs.Key.LearningRate);
                double[] differences = [.. runs.Where(run => reference.ContainsKey(run.Seed)).Select(run => run.Loss - reference[run.Seed])];
                bool isReference = runs.Key.Setting == beside;
                double? mean = differences.Length == 0 || isReference ? null : differences.Average();
                double? error = mean is null || differences.Length < 2
                    ? null
                    : Math.Sqrt(differences.Sum(value => (value - mean.Value) * (value - mean.Value)) / (differences.Length - 1) / differences.Length);
                return new SettingSummary(runs.Key.Setting, runs.Key.LearningRate, runs.Count(), runs.Average(run => run.Loss), mean, error);
            }),
        ];

        // Optimizers with rates of their own are set beside the rate that the reference was run at most.
        Dictionary<int, double> ReferenceFor(double rate) => references.GetValueOrDefault(rate) ?? references.Values.MaxBy(losses => losses.Count) ?? [];
    }

    private static int Order(string setting) => Quality.Setting.All.TakeWhile(known => known.Name != setting).Count();
}

/// <summary>Results as Markdown, and the differences as a drawing.</summary>
internal static class StudyTables
{
    /// <param name="reference">As the heading has it.</param>
    public static string Markdown(IReadOnlyList<SettingSummary> settings, string reference = "F32 APOLLO-Mini")
    {
        var text = new StringBuilder($"| setting | learning rate | seeds | held-out loss | minus {reference}, nats | perplexity |\n| --- | ---: | ---: | ---: | ---: | ---: |\n");
        foreach (SettingSummary setting in settings)
        {
            string difference = setting.Difference is { } nats ? Difference(nats, setting.Error) : "- | -";
            text.Append(CultureInfo.InvariantCulture, $"| {setting.Setting} | {setting.LearningRate} | {setting.Seeds} | {setting.Loss:F4} | {difference} |\n");
        }

        return text.ToString();
    }

    /// <summary>Losses alone: at tuning seeds the reference has several rates.</summary>
    public static string TuningMarkdown(IReadOnlyList<SettingSummary> settings)
    {
        var text = new StringBuilder("| setting | learning rate | seeds | held-out loss |\n| --- | ---: | ---: | ---: |\n");
        foreach (SettingSummary setting in settings.OrderBy(setting => setting.Setting, StringComparer.Ordinal).ThenBy(setting => setting.LearningRate))
        {
            text.Append(CultureInfo.InvariantCulture, $"| {setting.Setting} | {setting.LearningRate} | {setting.Seeds} | {setting.Loss:F4} |\n");
        }

        return text.ToString();
    }

    /// <summary>In nats and in per cent of perplexity, each with its standard error; one seed has none.</summary>
    private static string Difference(double nats, double? error)
    {
        double percent = (Math.Exp(nats) - 1) * 100;
        return error is { } nat
            ? string.Create(CultureInfo.InvariantCulture, $"{nats:+0.0000;-0.0000} ± {nat:F4} | {percent:+0.00;-0.00} ± {Math.Exp(nats) * nat * 100:F2} %")
            : string.Create(CultureInfo.InvariantCulture, $"{nats:+0.0000;-0.0000}, one seed | {percent:+0.00;-0.00} %, one seed");
    }

    /// <summary>Whether there is anything to draw.</summary>
    public static bool HasErrors(IReadOnlyList<SettingSummary> settings) => settings.Any(setting => setting.Error is not null);

    /// <summary>A row for each setting with a difference: its mean, and two standard errors to either side.</summary>
    public static string Svg(IReadOnlyList<SettingSummary> settings)
    {
        const int RowHeight = 24, Left = 270, Width = 420, Top = 34;
        SettingSummary[] rows = [.. settings.Where(setting => setting.Difference is not null && setting.Error is not null)];
        double extent = Math.Max(0.01, rows.Select(row => Math.Abs(row.Difference!.Value) + (2 * row.Error!.Value)).DefaultIfEmpty().Max());
        double X(double nats) => Left + (Width / 2.0) + (nats / extent * Width / 2.0);
        var svg = new StringBuilder();
        int height = Top + (rows.Length * RowHeight) + 10;
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Left + Width + 20} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n");
        svg.Append("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
        foreach (double share in (double[])[-1, -0.5, 0, 0.5, 1])
        {
            string x = X(share * extent).ToString("F1", CultureInfo.InvariantCulture);
            svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{x}\" x2=\"{x}\" y1=\"{Top - 8}\" y2=\"{height - 6}\" stroke=\"{(share == 0 ? "#888888" : "#dddddd")}\"/>\n");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{x}\" y=\"{Top - 14}\" text-anchor=\"middle\" fill=\"#555555\">{share * extent:+0.000;-0.000;0} nats</text>\n");
        }

        for (int i = 0; i < rows.Length; i++)
        {
            (double mean, double error, int y) = (rows[i].Difference!.Value, rows[i].Error!.Value, Top + (i * RowHeight) + (RowHeight / 2));
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left - 10}\" y=\"{y + 4}\" text-anchor=\"end\" fill=\"#222222\">{rows[i].Setting} ({rows[i].Seeds})</text>\n");
            svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{X(mean - (2 * error)):F1}\" x2=\"{X(mean + (2 * error)):F1}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#2a6fbb\" stroke-width=\"2\"/>\n");
            svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{X(mean):F1}\" cy=\"{y}\" r=\"4\" fill=\"#2a6fbb\"/>\n");
        }

        return svg.Append("</svg>\n").ToString();
    }
}
