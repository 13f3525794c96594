namespace QApollo.TestSupport;

/// <summary>
/// Causal grouped-query attention in binary64 for equal sequences: query head h reads key/value head
/// h / (heads / keyValueHeads). Q and output [N, heads * D], K and V [N, keyValueHeads * D].
/// </summary>
internal sealed class ReferenceAttention(int sequence, int heads, int keyValueHeads, int headDim)
{
    private readonly double scale = 1 / Math.Sqrt(headDim);
    private readonly List<double[]> probabilities = [];

    /// <summary>softmax(Q Kᵀ / sqrt(D)) V; keeps the probabilities for <see cref="Backward"/>.</summary>
    public double[] Forward(double[] q, double[] k, double[] v)
    {
        double[] output = new double[q.Length];
        probabilities.Clear();
        ForEachQuery(q.Length, (at, first, count) =>
        {
            double[] p = new double[count];
            for (int j = 0; j < count; j++)
            {
                p[j] = scale * ReferenceOperators.Dot(Head(q, at), Head(k, KeyAt(first, j)));
            }

            ReferenceOperators.Softmax(p);
            for (int j = 0; j < count; j++)
            {
                ReferenceOperators.AddScaled(Head(output, at), p[j], Head(v, KeyAt(first, j)));
            }

            probabilities.Add(p);
        });
        return output;
    }

    /// <summary>With dP = dO Vᵀ: dS = P (dP - sum(P dP)), dQ = dS K / sqrt(D), dK = dSᵀ Q / sqrt(D), dV = Pᵀ dO.</summary>
    public (double[] DQ, double[] DK, double[] DV) Backward(double[] q, double[] k, double[] v, double[] dOutput)
    {
        double[] dq = new double[q.Length];
        double[] dk = new double[k.Length];
        double[] dv = new double[v.Length];
        int query = 0;
        ForEachQuery(q.Length, (at, first, count) =>
        {
            double[] p = probabilities[query++];
            double[] dp = new double[count];
            for (int j = 0; j < count; j++)
            {
                dp[j] = ReferenceOperators.Dot(Head(dOutput, at), Head(v, KeyAt(first, j)));
                ReferenceOperators.AddScaled(Head(dv, KeyAt(first, j)), p[j], Head(dOutput, at));
            }

            double mean = ReferenceOperators.Dot(p, dp);
            for (int j = 0; j < count; j++)
            {
                double ds = scale * p[j] * (dp[j] - mean);
                ReferenceOperators.AddScaled(Head(dq, at), ds, Head(k, KeyAt(first, j)));
                ReferenceOperators.AddScaled(Head(dk, KeyAt(first, j)), ds, Head(q, at));
            }
        });
        return (dq, dk, dv);
    }

    /// <summary>Visits each query of each head: where it begins, where its first key begins, and how many keys it sees.</summary>
    private void ForEachQuery(int queryElements, Action<int, int, int> visit)
    {
        for (int at = 0; at < queryElements; at += headDim)
        {
            int token = at / headDim / heads;
            int head = at / headDim % heads;
            int position = token % sequence;
            int firstKey = (token - position) * keyValueHeads + head / (heads / keyValueHeads);
            visit(at, firstKey * headDim, position + 1);
        }
    }

    private int KeyAt(int first, int position) => first + position * keyValueHeads * headDim;

    private Span<double> Head(double[] x, int at) => x.AsSpan(at, headDim);
}
