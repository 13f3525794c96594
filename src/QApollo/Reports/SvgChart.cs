using System.Globalization;
using System.Text;
using QApollo.Memory;

namespace QApollo.Reports;

/// <summary>The charts of the reports, as inline SVG.</summary>
internal static class SvgChart
{
    private const double Width = 1000;
    private const double Left = 110;
    private const double PlotWidth = Width - Left - 10;
    private const int MaxAxisSteps = 6;
    private static readonly double[] RoundNumbers = [1, 2, 5, 10, 20, 50, 100, 200, 500];

    /// <summary>One bar cut into its categories, in proportion.</summary>
    /// <param name="parts">Colour, label and bytes.</param>
    public static string StackedBar(IReadOnlyList<(string Color, string Label, long Bytes)> parts)
    {
        const double Height = 44;
        double total = Math.Max(1, parts.Sum(part => (double)part.Bytes));
        var svg = new StringBuilder(Text($"<svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"bytes by category\">"));
        double x = 0;
        foreach ((string color, string label, long bytes) in parts.Where(part => part.Bytes > 0))
        {
            double width = Width * bytes / total;
            svg.Append(Text($"<rect x=\"{x:0.##}\" y=\"2\" width=\"{Math.Max(0, width - 1):0.##}\" height=\"40\" fill=\"{color}\">"));
            svg.Append(Text($"<title>{HtmlPage.Escape(label)}: {ByteSize.Format(bytes)}</title></rect>"));
            x += width;
        }

        return svg.Append("</svg>").ToString();
    }

    /// <summary>Live bytes over the step, the categories on top of each other, above what always lives.</summary>
    public static string Timeline(StepTimeline timeline)
    {
        const double Top = 30;
        const double PlotHeight = 270;
        const double Bottom = Top + PlotHeight;
        int points = timeline.Points.Count;
        long[] resident = Resident(timeline);
        long[] totals = [.. timeline.Points.Select(point => point.Bytes.Sum() - resident.Sum())];
        double step = AxisStep(totals.Max());
        double span = Math.Ceiling(Math.Max(1, totals.Max()) / step) * step;
        double X(double point) => Left + (PlotWidth * point / points);
        double Y(double bytes) => Bottom - (PlotHeight * bytes / span);

        var svg = new StringBuilder(Text($"<svg viewBox=\"0 0 {Width} {Bottom + 34}\" role=\"img\" aria-label=\"device memory over one step\">"));
        for (double bytes = 0; bytes <= span; bytes += step)
        {
            svg.Append(Text($"<line x1=\"{Left}\" x2=\"{Width - 10}\" y1=\"{Y(bytes):0.##}\" y2=\"{Y(bytes):0.##}\" stroke=\"var(--line)\"/>"));
            svg.Append(Text($"<text x=\"{Left - 8}\" y=\"{Y(bytes) + 4:0.##}\" text-anchor=\"end\">+{ByteSize.Format((long)bytes)}</text>"));
        }

        var lower = new double[points];
        foreach (TensorCategory category in Moving(timeline))
        {
            double[] upper = [.. lower.Select((bytes, point) => bytes + timeline.Points[point].Bytes[(int)category] - resident[(int)category])];
            svg.Append(Text($"<path fill=\"{HtmlPage.Color((int)category)}\" d=\"{Area(lower, upper, X, Y)}\"><title>{MemoryReport.LabelOf(category)}</title></path>"));
            lower = upper;
        }

        double peak = X(Array.IndexOf(totals, totals.Max()) + 0.5);
        svg.Append(Text($"<text x=\"{peak:0.##}\" y=\"{Top - 10}\" text-anchor=\"{(peak < Width / 4 ? "start" : peak > Width * 3 / 4 ? "end" : "middle")}\">peak \u25be</text>"));
        return svg.Append(PartLabels(timeline, X, Top, Bottom)).Append("</svg>").ToString();
    }

    /// <summary>The categories that change over the step, the calmest first, so that they lie at the bottom.</summary>
    public static IReadOnlyList<TensorCategory> Moving(StepTimeline timeline)
    {
        long[] resident = Resident(timeline);
        return
        [
            .. TensorCategories.All
                .Where(category => timeline.Points.Any(point => point.Bytes[(int)category] > resident[(int)category]))
                .OrderBy(category => timeline.Points.Zip(timeline.Points.Skip(1), (a, b) => Math.Abs(b.Bytes[(int)category] - a.Bytes[(int)category])).Sum()),
        ];
    }

    /// <summary>Bars to the right, each with its label before and its text after it.</summary>
    public static string Bars(IReadOnlyList<(string Label, double Value, string Text)> bars)
    {
        const double Row = 24;
        const double LabelWidth = 230;
        double largest = Math.Max(double.Epsilon, bars.Max(bar => bar.Value));
        var svg = new StringBuilder(Text($"<svg viewBox=\"0 0 {Width} {Row * bars.Count}\" role=\"img\" aria-label=\"bars\">"));
        for (int i = 0; i < bars.Count; i++)
        {
            double width = (Width - LabelWidth - 190) * bars[i].Value / largest;
            svg.Append(Text($"<text x=\"{LabelWidth - 10}\" y=\"{(i * Row) + 16}\" text-anchor=\"end\">{HtmlPage.Escape(bars[i].Label)}</text>"));
            svg.Append(Text($"<rect x=\"{LabelWidth}\" y=\"{(i * Row) + 4}\" width=\"{Math.Max(1, width):0.##}\" height=\"16\" fill=\"var(--c0)\"/>"));
            svg.Append(Text($"<text x=\"{LabelWidth + width + 8:0.##}\" y=\"{(i * Row) + 16}\">{HtmlPage.Escape(bars[i].Text)}</text>"));
        }

        return svg.Append("</svg>").ToString();
    }

    private static long[] Resident(StepTimeline timeline) =>
        [.. TensorCategories.All.Select(category => timeline.Points.Min(point => point.Bytes[(int)category]))];

    /// <summary>A round number of binary units that cuts the axis into three to six pieces.</summary>
    private static double AxisStep(long largest)
    {
        double unit = 1;
        while (unit * 1024 < largest)
        {
            unit *= 1024;
        }

        double round = RoundNumbers.FirstOrDefault(number => largest / (number * unit) <= MaxAxisSteps, RoundNumbers[^1]);
        return round * unit;
    }

    /// <summary>Steps from point to point: a tensor is there or not.</summary>
    private static string Area(double[] lower, double[] upper, Func<double, double> x, Func<double, double> y)
    {
        var path = new StringBuilder("M");
        for (int point = 0; point < upper.Length; point++)
        {
            path.Append(Text($"{x(point):0.##} {y(upper[point]):0.##}L{x(point + 1):0.##} {y(upper[point]):0.##}L"));
        }

        for (int point = lower.Length - 1; point >= 0; point--)
        {
            path.Append(Text($"{x(point + 1):0.##} {y(lower[point]):0.##}L{x(point):0.##} {y(lower[point]):0.##}{(point > 0 ? "L" : "Z")}"));
        }

        return path.ToString();
    }

    private static string PartLabels(StepTimeline timeline, Func<double, double> x, double top, double bottom)
    {
        const double LeastWidth = 60;
        var svg = new StringBuilder();
        foreach (TimelinePart part in timeline.Parts)
        {
            double start = x(part.FirstPoint);
            svg.Append(Text($"<line x1=\"{start:0.##}\" x2=\"{start:0.##}\" y1=\"{top}\" y2=\"{bottom + 6}\" stroke=\"var(--soft)\" stroke-dasharray=\"2 4\"/>"));
            if (x(part.EndPoint) - start >= LeastWidth)
            {
                svg.Append(Text($"<text x=\"{(start + x(part.EndPoint)) / 2:0.##}\" y=\"{bottom + 22}\" text-anchor=\"middle\">{HtmlPage.Escape(part.Name)}</text>"));
            }
        }

        return svg.ToString();
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
