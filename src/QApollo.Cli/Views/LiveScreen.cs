using System.Globalization;
using System.Text;
using QApollo.Memory;
using Spectre.Console.Rendering;

namespace QApollo.Cli.Views;

/// <summary>How a line of the screen stands out.</summary>
internal enum LineStyle
{
    Plain,
    Strong,
    Quiet,
    Alarm,
}

/// <summary>A line of the screen, without control characters.</summary>
internal readonly record struct ScreenLine(string Text, LineStyle Style = LineStyle.Plain);

/// <summary>Draws a moment of a run. A pure function of the moment and the terminal's size; any size of one column and one line or more.</summary>
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
    private const int CurveRank = 6;


    /// <param name="width">Columns of the terminal.</param>
    /// <param name="height">Lines to fill at most; where they are few, what matters least is left out.</param>
    /// <param name="unicode">Whether the terminal shows block characters.</param>
    public static IReadOnlyList<ScreenLine> Render(RunSnapshot run, int width, int height, bool unicode)
    {
        // The last column stays free: some terminals break the line when it is written.
        width = Math.Max(1, width - 1);
        ScreenLine[] fields = [.. Fields(run, width)];
        (int Rank, ScreenLine[] Lines)[] sections =
        [
            (4, [Line(run.Title, width, LineStyle.Strong)]),
            (1, [.. Progress(run, width, unicode).Select(line => Line(line, width))]),
            (2, fields[..1]),
            (5, fields[1..]),
            (CurveRank, [.. Curve(run, width, unicode)]),
            (7, [.. Sample(run, width)]),
            (3, [.. run.Warnings.Select(warning => Line("warning: " + warning, width, LineStyle.Alarm))]),
        ];
        int[] counts = new int[sections.Length];
        int left = Math.Max(1, height);
        foreach (int index in Enumerable.Range(0, sections.Length).OrderBy(index => sections[index].Rank))
        {
            // Part of a curve would be another one.
            int wanted = sections[index].Lines.Length;
            counts[index] = wanted <= left || sections[index].Rank != CurveRank ? Math.Min(wanted, left) : 0;
            left -= counts[index];
        }

        return [.. sections.SelectMany((section, index) => section.Lines.Take(counts[index]))];
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

    private static IEnumerable<ScreenLine> Fields(RunSnapshot run, int width)
    {
        var fields = new List<(string Label, string Value)>
        {
            ("loss", run.Curve.Length == 0 ? "-" : Invariant($"{run.Loss:F4}  smoothed {run.SmoothedLoss:F4}")),
            ("validation", run.Validation is (int step, double loss) ? Invariant($"{loss:F4} at step {step}") : "-"),
            ("lr", Invariant($"{run.LearningRate:G3}")),
            ("speed", double.IsNaN(run.TokensPerSecond) ? "-" : Invariant($"{run.TokensPerSecond:N0} tokens/s")),
            ("arena", $"{ByteSize.Format(run.PlannedBytes)} planned, {ByteSize.Format(run.AllocatedBytes)} allocated"),
            ("process", $"{ByteSize.Format(run.ProcessBytes)} of host memory"),
            ("checkpoint", run.Checkpoint is null ? "-" : Path.GetFileName(run.Checkpoint)),
        };
        if (run.Sensors.Length > 0)
        {
            fields.Add(("card", run.Sensors));
        }

        int labelColumns = width < NarrowColumns ? 0 : LabelColumns - 1;
        foreach ((string Label, string Value)[] row in fields.Chunk(width >= WideColumns ? 2 : 1))
        {
            IEnumerable<string> cells = row.Select(field => $"{field.Label.PadRight(labelColumns)} {field.Value}".PadRight(FieldColumns));
            yield return Line(string.Concat(cells), width);
        }
    }

    private static IEnumerable<ScreenLine> Curve(RunSnapshot run, int width, bool unicode)
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
            return new ScreenLine(Fit(axis.PadLeft(AxisColumns - 1) + " " + line, width).TrimEnd());
        });
    }

    private static IEnumerable<ScreenLine> Sample(RunSnapshot run, int width)
    {
        if (run.Sample is not (int step, string text))
        {
            yield break;
        }

        yield return Line(Invariant($"sample at step {step}"), width, LineStyle.Quiet);
        string rest = Printable.OnOneLine(text).Trim();
        for (int line = 0; line < SampleLines && rest.Length > 0; line++)
        {
            int length = LengthOfLine(rest, width);
            yield return new ScreenLine(rest[..length].TrimEnd());
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
    private static ScreenLine Line(string text, int width, LineStyle style = LineStyle.Plain) => new(Fit(Printable.OnOneLine(text), width).TrimEnd(), style);

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
