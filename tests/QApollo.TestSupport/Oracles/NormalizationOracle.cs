using QApollo.Devices;

namespace QApollo.TestSupport.Oracles;

/// <summary>Sums, scalings and the limiter of SCALE, SinkGD and RACS in binary64.</summary>
public static class NormalizationOracle
{
    /// <param name="weights">Null: all are 1.</param>
    public static double[] SumSquares(double[] values, int m, int n, ChannelAxis axis, double[]? weights)
    {
        double[] sums = new double[axis == ChannelAxis.Rows ? m : n];
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                (int channel, int summed) = axis == ChannelAxis.Rows ? (i, j) : (j, i);
                sums[channel] += values[i * n + j] * values[i * n + j] * (weights?[summed] ?? 1);
            }
        }

        return sums;
    }

    public static double Reciprocal(double value, bool root, double scale) =>
        value > 0 && double.IsFinite(value) ? scale / (root ? Math.Sqrt(value) : value) : 0;

    /// <summary>By what the coefficients are divided; null where they become 0. Rewrites the stored norm.</summary>
    public static double? Limit(double[] squares, double[] weights, bool useLimiter, bool storeOnly, ref double stored)
    {
        double norm = Math.Sqrt(squares.Zip(weights, (s, w) => s * w).Sum());
        if (!double.IsFinite(norm))
        {
            return null;
        }

        if (!useLimiter)
        {
            return 1;
        }

        double growth = norm / (stored + ApolloScalars.NormEpsilon);
        double limit = storeOnly || stored == 0 ? 1 : Math.Max(growth, ApolloScalars.LimiterGrowth) / ApolloScalars.LimiterGrowth;
        stored = norm / limit;
        return limit;
    }
}
