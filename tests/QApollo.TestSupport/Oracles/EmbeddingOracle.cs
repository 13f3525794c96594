namespace QApollo.TestSupport.Oracles;

/// <summary>Table look-up and its reverse in binary64. Shapes: table, gradient [rows, h], output, dy [tokens, h].</summary>
public static class EmbeddingOracle
{
    public static double[] Forward(double[] table, int[] tokens, int h) =>
        [.. tokens.SelectMany(t => table[(t * h)..((t + 1) * h)])];

    /// <summary>Tokens outside firstRow .. firstRow + rows - 1 are left out.</summary>
    public static double[] Backward(double[] dy, int[] tokens, int h, int firstRow, double[] old)
    {
        double[] gradient = [.. old];
        for (int n = 0; n < tokens.Length; n++)
        {
            int start = (tokens[n] - firstRow) * h;
            for (int j = 0; j < h && start >= 0 && start < gradient.Length; j++)
            {
                gradient[start + j] += dy[n * h + j];
            }
        }

        return gradient;
    }
}
