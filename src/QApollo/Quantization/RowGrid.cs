namespace QApollo.Quantization;

/// <summary>The grid of a row of activations: symmetric INT8 codes around 128 with one scale.</summary>
public static class RowGrid
{
    /// <summary>The code of zero.</summary>
    public const int Zero = 128;

    /// <summary>The largest code's distance from it.</summary>
    public const int Largest = 127;

    /// <summary>2^-100: a row of smaller values is a row of zeros. Its reciprocal, times 127, is finite.</summary>
    public const float LeastMagnitude = 7.888609e-31f;

    /// <summary>Words of the stream that a row takes: columns rounded up, so that each row begins with a whole block.</summary>
    public static int Words(int columns) => (columns + 7) & ~7;

    /// <summary>Scale, and what values are multiplied by: 0 where all codes are that of zero.</summary>
    /// <param name="magnitude">Largest magnitude of the row; NaN or infinity where a value is not finite.</param>
    public static (float Scale, float Inverse) Of(float magnitude) => !float.IsFinite(magnitude) ? (float.NaN, 0)
        : magnitude < LeastMagnitude ? (0, 0)
        : (magnitude / Largest, Largest / magnitude);
}
