using QApollo.Devices;

namespace QApollo.TestSupport.Oracles;

/// <summary>Causal grouped-query attention in binary64, one query row at a time.</summary>
public static class AttentionOracle
{
    public static (double[] Output, double[] LogSumExp) Forward(
        double[] query, double[] key, double[] value, in AttentionShape shape, int[]? documentStarts = null)
    {
        double[] output = new double[query.Length];
        double[] logSumExp = new double[shape.Heads * shape.QueryRows];
        for (int head = 0; head < shape.Heads; head++)
        {
            for (int row = 0; row < shape.QueryRows; row++)
            {
                (double[] p, double log) = Probabilities(query, key, shape, head, row, documentStarts);
                logSumExp[head * shape.QueryRows + row] = log;
                for (int j = 0; j < p.Length; j++)
                {
                    for (int d = 0; d < shape.HeadDim; d++)
                    {
                        output[QueryIndex(shape, head, row) + d] += p[j] * value[KeyIndex(shape, head, row, j) + d];
                    }
                }
            }
        }

        return (output, logSumExp);
    }

    public static (double[] Query, double[] Key, double[] Value) Backward(
        double[] query, double[] key, double[] value, double[] outputGradient, in AttentionShape shape, int[]? documentStarts = null)
    {
        double scale = 1 / Math.Sqrt(shape.HeadDim);
        double[] dq = new double[query.Length];
        double[] dk = new double[key.Length];
        double[] dv = new double[value.Length];
        for (int head = 0; head < shape.Heads; head++)
        {
            for (int row = 0; row < shape.QueryRows; row++)
            {
                (double[] p, _) = Probabilities(query, key, shape, head, row, documentStarts);
                int q = QueryIndex(shape, head, row);
                double[] dp = new double[p.Length];
                double mean = 0;
                for (int j = 0; j < p.Length; j++)
                {
                    int k = KeyIndex(shape, head, row, j);
                    for (int d = 0; d < shape.HeadDim; d++)
                    {
                        dp[j] += outputGradient[q + d] * value[k + d];
                        dv[k + d] += p[j] * outputGradient[q + d];
                    }

                    mean += p[j] * dp[j];
                }

                for (int j = 0; j < p.Length; j++)
                {
                    double ds = p[j] * (dp[j] - mean) * scale;
                    int k = KeyIndex(shape, head, row, j);
                    for (int d = 0; d < shape.HeadDim; d++)
                    {
                        dq[q + d] += ds * key[k + d];
                        dk[k + d] += ds * query[q + d];
                    }
                }
            }
        }

        return (dq, dk, dv);
    }

    private static (double[] Probabilities, double LogSumExp) Probabilities(
        double[] query, double[] key, in AttentionShape shape, int head, int row, int[]? documentStarts)
    {
        int visible = row % shape.QueryLength + 1 + shape.KeyLength - shape.QueryLength;
        double[] p = new double[visible];
        int q = QueryIndex(shape, head, row);
        for (int j = 0; j < visible; j++)
        {
            int k = KeyIndex(shape, head, row, j);
            for (int d = 0; d < shape.HeadDim; d++)
            {
                p[j] += query[q + d] * key[k + d];
            }

            p[j] = documentStarts is not null && j < documentStarts[row] ? double.NegativeInfinity : p[j] / Math.Sqrt(shape.HeadDim);
        }

        double max = p.Max();
        double logSumExp = max + Math.Log(p.Sum(s => Math.Exp(s - max)));
        return (Array.ConvertAll(p, s => Math.Exp(s - logSumExp)), logSumExp);
    }

    private static int QueryIndex(in AttentionShape shape, int head, int row) => row * shape.QueryColumns + head * shape.HeadDim;

    private static int KeyIndex(in AttentionShape shape, int head, int row, int key) =>
        (row / shape.QueryLength * shape.KeyLength + key) * shape.KeyColumns + head / shape.GroupHeads * shape.HeadDim;
}
