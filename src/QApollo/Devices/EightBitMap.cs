namespace QApollo.Devices;

/// <summary>
/// The values that an 8-bit optimizer state can take: the dynamic map of "8-bit Optimizers via Block-wise
/// Quantization" (arXiv 2110.02861): seven decades, finer ones towards 1, each cut evenly; ascending.
/// </summary>
public static class EightBitMap
{
    /// <summary>Elements that share a scale.</summary>
    public const int BlockSize = 256;

    private const int Decades = 7;

    /// <summary>256 values in [-1, 1], for the first moment.</summary>
    public static ReadOnlySpan<float> FirstMoment => SignedValues;

    /// <summary>256 values in [0, 1], for the second moment.</summary>
    public static ReadOnlySpan<float> SecondMoment => UnsignedValues;

    private static readonly float[] SignedValues = Build(signed: true);
    private static readonly float[] UnsignedValues = Build(signed: false);

    /// <summary>Blocks of <paramref name="elements"/> elements; the last one may be shorter.</summary>
    public static int Blocks(long elements) => checked((int)((elements + BlockSize - 1) / BlockSize));

    private static float[] Build(bool signed)
    {
        var values = new List<float>(256) { 0f, 1f };
        for (int decade = 0; decade < Decades; decade++)
        {
            int cells = 1 << (signed ? decade : decade + 1);
            double unit = Math.Pow(10, decade - (Decades - 1));
            for (int cell = 0; cell < cells; cell++)
            {
                float value = (float)(unit * (0.1 + 0.9 * (cell + 0.5) / cells));
                values.Add(value);
                if (signed)
                {
                    values.Add(-value);
                }
            }
        }

        values.Sort();
        return [.. values];
    }
}
