namespace QApollo.TestSupport.Goldens;

/// <summary>A matrix as the official code stores it.</summary>
/// <param name="Scales">One per group.</param>
/// <param name="Zeros">One per group: whole numbers 0..255.</param>
public sealed record OfficialQuantized(byte[] Codes, float[] Scales, float[] Zeros, int GroupSize)
{
    /// <summary>(code - zero) * scale.</summary>
    public float[] Dequantize() =>
        [.. Codes.Select((code, i) => (code - Zeros[i / GroupSize]) * Scales[i / GroupSize])];
}

/// <summary>
/// The INT8 rule of the official code, in its binary32 arithmetic: the matrix is flattened row by row and cut into
/// groups, which may cross rows; scale = max(max - min, 1e-5) / 255, zero = clamp(-round(min / scale), 0, 255).
/// A group whose range excludes zero saturates. This program's own format does not; this one serves the goldens.
/// </summary>
public static class OfficialQuantizer
{
    private const float MaxCode = 255f;
    private const float MinRange = 1e-5f;

    /// <summary>Codes clamp(round(w / scale) + zero, 0, 255), half to even.</summary>
    /// <param name="weights">A multiple of <paramref name="groupSize"/> values.</param>
    public static OfficialQuantized Quantize(ReadOnlySpan<float> weights, int groupSize) =>
        Quantize(weights, groupSize, static (scaled, _) => MathF.Round(scaled, MidpointRounding.ToEven));

    /// <summary>Codes clamp(r + zero, 0, 255) with r = ceil(w / scale) where u &lt; frac(w / scale), else floor.</summary>
    /// <param name="uniforms">One in [0, 1) for each weight.</param>
    /// <inheritdoc cref="Quantize(ReadOnlySpan{float}, int)"/>
    public static OfficialQuantized QuantizeStochastic(ReadOnlySpan<float> weights, int groupSize, float[] uniforms) =>
        Quantize(weights, groupSize, (scaled, i) =>
        {
            float floor = MathF.Floor(scaled);
            return uniforms[i] < scaled - floor ? MathF.Ceiling(scaled) : floor;
        });

    private static OfficialQuantized Quantize(ReadOnlySpan<float> weights, int groupSize, Func<float, int, float> round)
    {
        if (weights.Length % groupSize != 0)
        {
            throw new ArgumentException($"{weights.Length} weights are not whole groups of {groupSize}", nameof(weights));
        }

        int groups = weights.Length / groupSize;
        var result = new OfficialQuantized(new byte[weights.Length], new float[groups], new float[groups], groupSize);
        for (int group = 0; group < groups; group++)
        {
            float min = float.PositiveInfinity;
            float max = float.NegativeInfinity;
            foreach (float w in weights.Slice(group * groupSize, groupSize))
            {
                min = MathF.Min(min, w);
                max = MathF.Max(max, w);
            }

            float scale = MathF.Max(max - min, MinRange) / MaxCode;
            float zero = Math.Clamp(-MathF.Round(min / scale, MidpointRounding.ToEven), 0f, MaxCode);
            result.Scales[group] = scale;
            result.Zeros[group] = zero;
            for (int i = group * groupSize; i < (group + 1) * groupSize; i++)
            {
                result.Codes[i] = (byte)Math.Clamp(round(weights[i] / scale, i) + zero, 0f, MaxCode);
            }
        }

        return result;
    }
}
