using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using Xunit;

namespace QApollo.TestSupport;

/// <summary>
/// Comparisons that NaN, infinity, a wrong length or an empty input cannot slip through. A failure names the worst
/// entry (the one furthest beyond its bound), both values, the error, and the error in units in the last place of the
/// less precise side.
/// </summary>
public static class Compare
{
    /// <summary>Asserts |a - e| &lt;= absolute + relative * |e| for every entry, both sides finite.</summary>
    public static void AllClose(ReadOnlySpan<float> actual, ReadOnlySpan<double> expected, double absolute, double relative, string what) =>
        Close(actual, expected, absolute, relative, what);

    /// <inheritdoc cref="AllClose(ReadOnlySpan{float}, ReadOnlySpan{double}, double, double, string)"/>
    public static void AllClose(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected, double absolute, double relative, string what) =>
        Close(actual, expected, absolute, relative, what);

    /// <inheritdoc cref="AllClose(ReadOnlySpan{float}, ReadOnlySpan{double}, double, double, string)"/>
    public static void AllClose(ReadOnlySpan<double> actual, ReadOnlySpan<double> expected, double absolute, double relative, string what) =>
        Close(actual, expected, absolute, relative, what);

    /// <inheritdoc cref="AllClose(ReadOnlySpan{float}, ReadOnlySpan{double}, double, double, string)"/>
    public static void AllClose(ReadOnlySpan<double> actual, ReadOnlySpan<float> expected, double absolute, double relative, string what) =>
        Close(actual, expected, absolute, relative, what);

    /// <summary>Asserts the same bytes in every entry: 0 and -0 differ, a NaN equals the same NaN.</summary>
    public static void BitEqual<T>(ReadOnlySpan<T> actual, ReadOnlySpan<T> expected, string what)
        where T : unmanaged
    {
        CheckLengths(actual.Length, expected.Length, what);
        int first = -1;
        int failures = 0;
        for (int i = 0; i < actual.Length; i++)
        {
            if (!MemoryMarshal.AsBytes(actual.Slice(i, 1)).SequenceEqual(MemoryMarshal.AsBytes(expected.Slice(i, 1))))
            {
                failures++;
                first = first < 0 ? i : first;
            }
        }

        if (failures > 0)
        {
            Assert.Fail(Text(
                $"{what}: {failures} of {actual.Length} entries differ; first [{first}]: actual {actual[first]} (0x{Hex(actual, first)}), expected {expected[first]} (0x{Hex(expected, first)})"));
        }
    }

    /// <summary>|actual - expected| / |expected| in the L2 norm; NaN if any entry is NaN.</summary>
    public static double RelativeL2<T>(ReadOnlySpan<T> actual, ReadOnlySpan<T> expected)
        where T : unmanaged, INumberBase<T>
    {
        CheckLengths(actual.Length, expected.Length, "relative L2");
        double error = 0;
        double norm = 0;
        for (int i = 0; i < actual.Length; i++)
        {
            double e = double.CreateChecked(expected[i]);
            double d = double.CreateChecked(actual[i]) - e;
            error += d * d;
            norm += e * e;
        }

        return Math.Sqrt(error / norm);
    }

    private static void Close<TActual, TExpected>(
        ReadOnlySpan<TActual> actual, ReadOnlySpan<TExpected> expected, double absolute, double relative, string what)
        where TActual : unmanaged, IBinaryFloatingPointIeee754<TActual>
        where TExpected : unmanaged, IBinaryFloatingPointIeee754<TExpected>
    {
        if (!(absolute >= 0 && relative >= 0 && double.IsFinite(absolute + relative)))
        {
            throw new ArgumentOutOfRangeException(nameof(absolute), $"tolerances {absolute}, {relative}: neither may be negative, NaN or infinite");
        }

        CheckLengths(actual.Length, expected.Length, what);
        int worst = -1;
        int failures = 0;
        double worstExcess = double.NegativeInfinity;
        for (int i = 0; i < actual.Length; i++)
        {
            double a = double.CreateChecked(actual[i]);
            double e = double.CreateChecked(expected[i]);
            double error = Math.Abs(a - e);
            double bound = absolute + relative * Math.Abs(e);
            bool finite = double.IsFinite(a) && double.IsFinite(e);
            if (finite && error <= bound)
            {
                continue;
            }

            failures++;
            double excess = finite ? error - bound : double.PositiveInfinity;
            if (excess > worstExcess)
            {
                worst = i;
                worstExcess = excess;
            }
        }

        if (failures > 0)
        {
            double a = double.CreateChecked(actual[worst]);
            double e = double.CreateChecked(expected[worst]);
            double error = Math.Abs(a - e);
            Assert.Fail(Text(
                $"{what}: {failures} of {actual.Length} entries out of bounds; worst [{worst}]: actual {a:R}, expected {e:R}, error {error:G4} = {error / Math.Max(UlpAt<TActual>(e), UlpAt<TExpected>(e)):G4} ulps, allowed {absolute + relative * Math.Abs(e):G4}"));
        }
    }

    /// <summary>Spacing of the values of <typeparamref name="T"/> just above |x|.</summary>
    private static double UlpAt<T>(double x)
        where T : IBinaryFloatingPointIeee754<T>
    {
        T magnitude = T.Abs(T.CreateSaturating(x));
        return double.CreateChecked(T.BitIncrement(magnitude) - magnitude);
    }

    private static void CheckLengths(int actual, int expected, string what)
    {
        if (actual != expected)
        {
            Assert.Fail($"{what}: {actual} entries, expected {expected}");
        }

        if (actual == 0)
        {
            Assert.Fail($"{what}: nothing to compare");
        }
    }

    private static string Hex<T>(ReadOnlySpan<T> values, int index)
        where T : unmanaged
    {
        byte[] bytes = MemoryMarshal.AsBytes(values.Slice(index, 1)).ToArray();
        Array.Reverse(bytes);
        return Convert.ToHexString(bytes);
    }

    private static string Text(FormattableString message) => message.ToString(CultureInfo.InvariantCulture);
}
