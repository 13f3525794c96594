using QApollo.Quantization;

namespace QApollo.TestSupport.Oracles;

/// <summary>Rows of activations as INT8 codes with a scale each.</summary>
public static class RowCodeOracle
{
    /// <summary>Codes and scale of one row, in binary32 step by step: devices must give these bytes.</summary>
    /// <param name="row">Number of the row in the stream.</param>
    public static (byte[] Codes, float Scale) Quantize(ReadOnlySpan<float> values, in RandomStream stream, long row)
    {
        var codes = new byte[values.Length];
        float largest = 0;
        bool isFinite = true;
        foreach (float value in values)
        {
            isFinite &= float.IsFinite(value);
            largest = Math.Max(largest, Math.Abs(value));
        }

        if (!isFinite || largest < Math.ScaleB(1, -100))
        {
            Array.Fill(codes, (byte)128);
            return (codes, isFinite ? 0 : float.NaN);
        }

        float inverse = 127f / largest;
        ulong first = (ulong)row * (ulong)((values.Length + 7) / 8 * 8);
        for (int i = 0; i < values.Length; i++)
        {
            float scaled = values[i] * inverse;
            float below = MathF.Floor(scaled);
            bool isUp = Philox.ToUniform(Philox.Word(stream, first + (ulong)i)) < scaled - below;
            codes[i] = (byte)(128 + Math.Clamp((int)below + (isUp ? 1 : 0), -127, 127));
        }

        return (codes, largest / 127f);
    }

    /// <summary>Where the two codes next to a value lie, in binary64: the value over its row's largest, times 127.</summary>
    public static double[] Places(double[] values)
    {
        double largest = values.Max(Math.Abs);
        return Array.ConvertAll(values, value => largest == 0 ? 0 : value / largest * 127);
    }
}
