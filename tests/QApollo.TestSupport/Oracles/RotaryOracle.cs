namespace QApollo.TestSupport.Oracles;

/// <summary>Rotary position embedding in binary64, rotate-half convention.</summary>
public static class RotaryOracle
{
    /// <summary>Table rows of positions 0 .. positions - 1.</summary>
    public static (double[] Cosine, double[] Sine) Table(int positions, int headDim, double theta = 10000)
    {
        int half = headDim / 2;
        double[] cosine = new double[positions * half];
        double[] sine = new double[positions * half];
        for (int p = 0; p < positions; p++)
        {
            for (int j = 0; j < half; j++)
            {
                (sine[p * half + j], cosine[p * half + j]) = Math.SinCos(p * Math.Pow(theta, -2.0 * j / headDim));
            }
        }

        return (cosine, sine);
    }

    public static double[] Rotate(
        double[] values, double[] cosine, double[] sine, int rows, int half, int sequenceLength, int firstPosition, bool inverse,
        int[]? documentStarts = null)
    {
        double[] result = new double[values.Length];
        int columns = values.Length / rows;
        for (int row = 0; row < rows; row++)
        {
            int position = firstPosition + row % sequenceLength - (documentStarts?[row] ?? 0);
            for (int start = row * columns; start < (row + 1) * columns; start += 2 * half)
            {
                for (int j = 0; j < half; j++)
                {
                    double c = cosine[position * half + j];
                    double s = inverse ? -sine[position * half + j] : sine[position * half + j];
                    result[start + j] = values[start + j] * c - values[start + half + j] * s;
                    result[start + half + j] = values[start + half + j] * c + values[start + j] * s;
                }
            }
        }

        return result;
    }
}
