using System.Globalization;
using System.Text;
using QApollo.Memory;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace QApollo.Cli.Views;

/// <summary>Draws a moment of a run. A pure function of the moment and the width; any width of one column or more.</summary>
internal static class LiveScreen
{
    private const int CurveHeight = 4;
    private const int SampleLines = 5;
    private const int LabelColumns = 12;

    /// <summary>The longest field, and a gap.</summary>
    private const int FieldColumns = 52;

    /// <summary>From here on there are two fields to a line.</summary>
    private const int WideColumns = 84;

    /// <summary>Below this, fields are not aligned.</summary>
    private const int NarrowColumns = 36;
    private const int AxisColumns = 8;

    private static readonly Style Quiet = new(Color.Grey);
    private static readonly Style Strong = new(decoration: Decoration.Bold);
    private static readonly Style Alarm = new(Color.Yellow);

    /// <param name="width">Columns of the terminal.</param>
    /// <param name="unicode">Whether the terminal shows block characters.</param>
    public static IRenderable Render(RunSnapshot run, int width, bool unicode)
    {
        // The last column stays free: some terminals break the line when it is written.
        width = Math.Max(1, width - 1);
        var lines = new List<IRenderable> { Line(run.Title, width, Strong) };
        lines.AddRange(Progress(run, width, unicode).Select(line => Line(line, width)));
        lines.AddRange(Fields(run, width));
        lines.AddRange(Curve(run, width, unicode));
        lines.AddRange(Sample(run, width));
        lines.AddRange(run.Warnings.Select(warning => Line("warning: " + warning, width, Alarm)));
        return new Rows(lines);
    }

    private static IEnumerable<string> Progress(RunSnapshot run, int width, bool unicode)
    {
        string steps = Invariant($"step {run.Step}/{run.MaxSteps}");
        string times = RateEstimate.Format(run.Elapsed) + (run.Left is { } left ? $", {RateEstimate.Format(left)} left" : string.Empty);
        string share = Invariant($"{100.0 * run.Step / run.MaxSteps,3:F0}%");
        int bar = Math.Min(60, width - steps.Length - times.Length - share.Length - 6);
        if (bar < 8)
        {
            return [Invariant($"{steps} {share.Trim()}"), times];
        }

        int done = (int)((long)bar * run.Step / run.MaxSteps);
        string drawn = new string(unicode ? '█' : '#', done) + new string(unicode ? '░' : '-', bar - done);
        return [$"{steps}  {drawn}  {share}  {times}"];
    }

    private static IEnumerable<IRenderable> Fields(RunSnapshot run, int width)
    {
        var fields = new List<(string Label, string Value)>
        {
            ("loss", run.Curve.Length == 0 ? "-" : Invariant($"{run.Loss:F4}  smoothed {run.SmoothedLoss:F4}")),
            ("validation", run.Validation is (int step, double loss) ? Invariant($"{loss:F4} at step {step}") : "-"),
            ("lr", Invariant($"{run.LearningRate:G3}")),
            ("speed", double.IsNaN(run.TokensPerSecond) ? "-" : Invariant($"{run.TokensPerSecond:N0} tokens/s")),
            ("memory", $"{ByteSize.Format(run.PlannedBytes)} planned, {ByteSize.Format(run.UsedBytes)} used"),
            ("checkpoint", run.Checkpoint is null ? "-" : Path.GetFileName(run.Checkpoint)),
        };
        int labelColumns = width < NarrowColumns ? 0 : LabelColumns - 1;
        foreach ((string Label, string Value)[] row in fields.Chunk(width >= WideColumns ? 2 : 1))
        {
            IEnumerable<string> cells = row.Select(field => $"{field.Label.PadRight(labelColumns)} {field.Value}".PadRight(FieldColumns));
            yield return Line(string.Concat(cells), width);
        }
    }

    private static IEnumerable<IRenderable> Curve(RunSnapshot run, int width, bool unicode)
    {
        int columns = width - AxisColumns;
        if (run.Curve.Length < 2 || columns < 8)
        {
            return [];
        }

        string[] lines = Sparkline.Draw(run.Curve, columns, CurveHeight, unicode);
        (double low, double high) = Sparkline.Range(run.Curve);
        return lines.Select((line, index) =>
        {
            string axis = index == 0 ? Invariant($"{high:F2}") : index == lines.Length - 1 ? Invariant($"{low:F2}") : string.Empty;
            return (IRenderable)new Text(Fit(axis.PadLeft(AxisColumns - 1) + " " + line, width).TrimEnd());
        });
    }

    private static IEnumerable<IRenderable> Sample(RunSnapshot run, int width)
    {
        if (run.Sample is not (int step, string text))
        {
            yield break;
        }

        yield return Line(Invariant($"sample at step {step}"), width, Quiet);
        string rest = Printable.OnOneLine(text).Trim();
        for (int line = 0; line < SampleLines && rest.Length > 0; line++)
        {
            int length = LengthOfLine(rest, width);
            yield return new Text(rest[..length].TrimEnd());
            rest = rest[length..].TrimStart();
        }
    }

    /// <summary>Characters of the text's first line: whole words where that fills half of it.</summary>
    private static int LengthOfLine(string text, int width)
    {
        int length = Fit(text, width).Length;
        int space = length < text.Length ? text.LastIndexOf(' ', length) : -1;
        return space > length / 2 ? space : length;
    }

    /// <summary>One line, cut at the width.</summary>
    private static Text Line(string text, int width, Style? style = null) => new(Fit(Printable.OnOneLine(text), width).TrimEnd(), style);

    /// <summary>As many characters as fit into so many columns; never half a character.</summary>
    private static string Fit(string text, int columns)
    {
        int used = 0;
        int end = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            int cells = new Segment(rune.ToString()).CellCount();
            if (used + cells > columns)
            {
                break;
            }

            used += cells;
            end += rune.Utf16SequenceLength;
        }

        return text[..end];
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
