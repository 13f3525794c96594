using System.Globalization;

namespace QApollo.Memory;

/// <summary>Sizes in bytes as people write them.</summary>
public static class ByteSize
{
    private static readonly (string Unit, double Bytes)[] Units =
    [
        ("KiB", 1024.0), ("MiB", 1024.0 * 1024), ("GiB", 1024.0 * 1024 * 1024), ("TiB", 1024.0 * 1024 * 1024 * 1024),
        ("PiB", 1024.0 * 1024 * 1024 * 1024 * 1024),
        ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("PB", 1e15),
        ("B", 1),
    ];

    /// <summary>
    /// Reads a number with a unit: KiB to PiB (powers of 1024), KB to PB (powers of 1000) or B, case ignored;
    /// rounded down to whole bytes.
    /// </summary>
    /// <returns>False without a unit, for a negative number, or when it does not fit into 64 bits.</returns>
    public static bool TryParse(string text, out long bytes)
    {
        bytes = 0;
        foreach ((string unit, double factor) in Units)
        {
            if (text.EndsWith(unit, StringComparison.OrdinalIgnoreCase))
            {
                bool isNumber = double.TryParse(text.AsSpan(0, text.Length - unit.Length), NumberStyles.Float, CultureInfo.InvariantCulture, out double number);
                double value = Math.Floor(number * factor);
                bytes = isNumber && value >= 0 && value < long.MaxValue ? (long)value : 0;
                return isNumber && value >= 0 && value < long.MaxValue;
            }
        }

        return false;
    }

    /// <summary>Short text with a binary unit: "7.53 GiB", "512 B".</summary>
    public static string Format(long bytes)
    {
        int unit = -1;
        double value = bytes;
        while (Math.Abs(value) >= 1024 && unit < 3)
        {
            value /= 1024;
            unit++;
        }

        return unit < 0
            ? string.Create(CultureInfo.InvariantCulture, $"{bytes} B")
            : string.Create(CultureInfo.InvariantCulture, $"{value:0.00} {Units[unit].Unit}");
    }
}
