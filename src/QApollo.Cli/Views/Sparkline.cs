namespace QApollo.Cli.Views;

/// <summary>A small curve of block characters, several lines high.</summary>
internal static class Sparkline
{
    private const string Blocks = " ▁▂▃▄▅▆▇█";
    private const string Ascii = " .:|#";

    /// <param name="values">Spread over the width; values that are not finite leave a gap.</param>
    /// <param name="unicode">Block characters; plain ones otherwise.</param>
    /// <returns>Lines from the top, <paramref name="width"/> characters each; blank without values.</returns>
    public static string[] Draw(ReadOnlySpan<double> values, int width, int height, bool unicode)
    {
        string glyphs = unicode ? Blocks : Ascii;
        double[] columns = Resample(values, width);
        (double low, double high) = Range(columns);
        var lines = new char[height][];
        for (int line = 0; line < height; line++)
        {
            lines[line] = new char[width];
            for (int column = 0; column < width; column++)
            {
                lines[line][column] = Glyph(columns[column], low, high, height - 1 - line, height, glyphs);
            }
        }

        return [.. lines.Select(line => new string(line))];
    }

    /// <summary>The smallest and the largest finite value; both 0 without any.</summary>
    public static (double Low, double High) Range(ReadOnlySpan<double> values)
    {
        double low = double.PositiveInfinity;
        double high = double.NegativeInfinity;
        foreach (double value in values)
        {
            if (double.IsFinite(value))
            {
                low = Math.Min(low, value);
                high = Math.Max(high, value);
            }
        }

        return low <= high ? (low, high) : (0, 0);
    }

    /// <summary>One value per column: the mean of those that fall into it, or the one that stretches over it.</summary>
    private static double[] Resample(ReadOnlySpan<double> values, int width)
    {
        var columns = new double[width];
        for (int column = 0; column < width; column++)
        {
            int first = (int)((long)column * values.Length / width);
            int end = Math.Min(values.Length, Math.Max(first + 1, (int)((long)(column + 1) * values.Length / width)));
            double sum = 0;
            for (int i = first; i < end; i++)
            {
                sum += values[i];
            }

            columns[column] = end > first ? sum / (end - first) : double.NaN;
        }

        return columns;
    }

    /// <param name="level">Line of the character, 0 for the lowest.</param>
    private static char Glyph(double value, double low, double high, int level, int height, string glyphs)
    {
        if (!double.IsFinite(value))
        {
            return ' ';
        }

        // The lowest value keeps one step of ink; equal values make a line in the middle.
        int steps = glyphs.Length - 1;
        int ink = high > low ? 1 + (int)Math.Round((value - low) / (high - low) * ((height * steps) - 1)) : height * steps / 2;
        return glyphs[Math.Clamp(ink - (level * steps), 0, steps)];
    }
}
