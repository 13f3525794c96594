using QApollo.Devices;

namespace QApollo.TestSupport.Oracles;

/// <summary>APOLLO's projection and scaling in binary64 (arXiv 2412.05270, algorithm 1).</summary>
public static class ApolloOracle
{
    /// <summary>R and the channels' sums of squares of G [m, n]; P [r, n] when m >= n, else [m, r].</summary>
    public static (double[] Projected, double[] Squares) Project(double[] gradient, double[] projection, int m, int n, int rank)
    {
        bool rows = m >= n;
        double[] projected = new double[Math.Max(m, n) * rank];
        double[] squares = new double[Math.Max(m, n)];
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                double g = gradient[i * n + j];
                squares[rows ? i : j] += g * g;
                for (int k = 0; k < rank; k++)
                {
                    projected[rows ? i * rank + k : k * n + j] += g * projection[rows ? k * n + j : i * rank + k];
                }
            }
        }

        return (projected, squares);
    }

    /// <summary>The coefficients; rewrites the moments and the stored norm.</summary>
    public static double[] Scale(
        double[] projected, double[] squares, ChannelAxis axis, in ApolloScalars scalars,
        double[] moment1, double[] moment2, ref double limiterNorm, out bool isLimited)
    {
        int channels = squares.Length;
        int rank = projected.Length / channels;
        isLimited = false;
        if (!double.IsFinite(squares.Sum()))
        {
            return new double[scalars.TensorWise ? 1 : channels];
        }

        double[] direction = AdamOracle.Direction(projected, moment1, moment2, scalars.Adam);
        double[] factors = scalars.TensorWise
            ? [Norm(direction) / (Norm(projected) + ApolloScalars.NormEpsilon)]
            : [.. Enumerable.Range(0, channels).Select(c =>
                Norm(Channel(direction, c, rank, channels, axis)) / (Norm(Channel(projected, c, rank, channels, axis)) + ApolloScalars.NormEpsilon))];
        double norm = Math.Sqrt(squares.Select((s, c) => s * Math.Pow(factors[factors.Length == 1 ? 0 : c], 2)).Sum());
        norm *= scalars.ScaleFront ? scalars.ScaleRoot : 1;
        double limit = 1;
        if (scalars.UseLimiter)
        {
            bool store = scalars.StoreOnly || (limiterNorm == 0 && !scalars.KeepZeroNorm);
            double growth = norm / (limiterNorm + ApolloScalars.NormEpsilon);
            limit = store ? 1 : Math.Max(growth, ApolloScalars.LimiterGrowth) / ApolloScalars.LimiterGrowth;
            limiterNorm = norm / limit;
            isLimited = limit > 1;
        }

        double step = scalars.StepSize * scalars.ScaleRoot / limit;
        return Array.ConvertAll(factors, s => step * s);
    }

    private static double[] Channel(double[] values, int channel, int rank, int channels, ChannelAxis axis) =>
        [.. Enumerable.Range(0, rank).Select(k => values[axis == ChannelAxis.Rows ? channel * rank + k : k * channels + channel])];

    private static double Norm(double[] values) => Math.Sqrt(values.Sum(v => v * v));
}
