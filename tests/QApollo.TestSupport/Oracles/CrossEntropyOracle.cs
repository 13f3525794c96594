namespace QApollo.TestSupport.Oracles;

/// <summary>Softmax cross-entropy in binary64. Negative labels are ignored.</summary>
public static class CrossEntropyOracle
{
    public static (double[] LogSumExp, double[] Losses) Forward(double[] logits, int[] labels)
    {
        int columns = logits.Length / labels.Length;
        double[] logSumExp = new double[labels.Length];
        double[] losses = new double[labels.Length];
        for (int i = 0; i < labels.Length; i++)
        {
            double[] row = logits[(i * columns)..((i + 1) * columns)];
            double max = row.Max();
            logSumExp[i] = max + Math.Log(row.Sum(x => Math.Exp(x - max)));
            losses[i] = labels[i] < 0 ? 0 : logSumExp[i] - row[labels[i]];
        }

        return (logSumExp, losses);
    }

    /// <summary>Gradient of scale * sum of losses by columns firstColumn .. of the logits given.</summary>
    public static double[] Backward(double[] logits, int[] labels, double[] logSumExp, int firstColumn, double scale)
    {
        int columns = logits.Length / labels.Length;
        double[] gradient = new double[logits.Length];
        for (int i = 0; i < labels.Length; i++)
        {
            for (int j = 0; j < columns && labels[i] >= 0; j++)
            {
                double target = firstColumn + j == labels[i] ? 1 : 0;
                gradient[i * columns + j] = scale * (Math.Exp(logits[i * columns + j] - logSumExp[i]) - target);
            }
        }

        return gradient;
    }
}
