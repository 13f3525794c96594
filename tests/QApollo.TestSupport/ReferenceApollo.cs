using QApollo.TestSupport.Goldens;

namespace QApollo.TestSupport;

/// <summary>
/// APOLLO and APOLLO-Mini (arXiv 2412.05270, algorithm 1) in binary64, with the norm-growth limiter of Fira
/// (arXiv 2410.01623). The smaller side of the gradient G [m, n] is projected; projections are given from outside.
/// </summary>
public sealed class ReferenceApollo
{
    private const double NormEpsilon = 1e-8;
    private const double MaxGrowth = 1.01;

    private readonly int m;
    private readonly int n;
    private readonly ApolloSettings settings;
    private readonly ReferenceAdam adam;

    public ReferenceApollo(int rows, int columns, ApolloSettings settings)
    {
        m = rows;
        n = columns;
        this.settings = settings;
        adam = new ReferenceAdam(settings.Rank * Math.Max(m, n), settings.Adam);
    }

    /// <summary>[r, n] if m &lt; n, else [m, r].</summary>
    public double[] FirstMoment => adam.FirstMoment;

    /// <summary>Shaped as <see cref="FirstMoment"/>.</summary>
    public double[] SecondMoment => adam.SecondMoment;

    /// <summary>The norm of the last update after limiting.</summary>
    public double LimiterNorm { get; private set; }

    private bool ProjectsLeft => m < n;

    /// <summary>One update of <paramref name="weight"/> [m, n] in place, with decoupled weight decay from the updated weight.</summary>
    /// <param name="projection">[m, r] if m &lt; n, else [r, n].</param>
    public void Step(double[] weight, ReadOnlySpan<double> gradient, ReadOnlySpan<double> projection, double learningRate)
    {
        double[] low = Project(gradient, projection);
        double[] direction = adam.Advance(low);
        double[] update = Scale(gradient, Factors(direction, low));
        if (settings.ScaleFront)
        {
            Multiply(update, Math.Sqrt(settings.Scale));
        }

        if (settings.UseLimiter)
        {
            Limit(update);
        }

        if (!settings.ScaleFront)
        {
            Multiply(update, Math.Sqrt(settings.Scale));
        }

        double step = learningRate * adam.StepCorrection;
        double decay = 1 - learningRate * settings.Adam.WeightDecay;
        for (int i = 0; i < weight.Length; i++)
        {
            weight[i] = (weight[i] - step * update[i]) * decay;
        }
    }

    /// <summary>R = Pᵀ G [r, n] if m &lt; n, else R = G Pᵀ [m, r].</summary>
    private double[] Project(ReadOnlySpan<double> g, ReadOnlySpan<double> p)
    {
        int r = settings.Rank;
        double[] low = new double[r * Math.Max(m, n)];
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                for (int k = 0; k < r; k++)
                {
                    low[ProjectsLeft ? k * n + j : i * r + k] += g[i * n + j] * (ProjectsLeft ? p[i * r + k] : p[k * n + j]);
                }
            }
        }

        return low;
    }

    /// <summary>|D| / (|R| + 1e-8) for each channel (column if m &lt; n, else row), or one for the matrix.</summary>
    private double[] Factors(double[] direction, double[] low)
    {
        int channels = Math.Max(m, n);
        double[] factors = new double[channels];
        if (settings.TensorWise)
        {
            Array.Fill(factors, Norm(direction) / (Norm(low) + NormEpsilon));
            return factors;
        }

        for (int channel = 0; channel < channels; channel++)
        {
            double d = 0;
            double r = 0;
            for (int k = 0; k < settings.Rank; k++)
            {
                int i = ProjectsLeft ? k * n + channel : channel * settings.Rank + k;
                d += direction[i] * direction[i];
                r += low[i] * low[i];
            }

            factors[channel] = Math.Sqrt(d) / (Math.Sqrt(r) + NormEpsilon);
        }

        return factors;
    }

    private double[] Scale(ReadOnlySpan<double> gradient, double[] factors)
    {
        double[] update = new double[gradient.Length];
        for (int i = 0; i < update.Length; i++)
        {
            update[i] = gradient[i] * factors[ProjectsLeft ? i % n : i / n];
        }

        return update;
    }

    /// <summary>Lets the norm grow by at most 1 % per update; the first update only stores it.</summary>
    private void Limit(double[] update)
    {
        double norm = Norm(update);
        bool none = adam.Updates == 1 || (LimiterNorm == 0 && !settings.KeepZeroNorm);
        double limiter = none ? 1 : Math.Max(norm / (LimiterNorm + NormEpsilon), MaxGrowth) / MaxGrowth;
        Multiply(update, 1 / limiter);
        LimiterNorm = norm / limiter;
    }

    private static void Multiply(double[] values, double factor)
    {
        for (int i = 0; i < values.Length; i++)
        {
            values[i] *= factor;
        }
    }

    private static double Norm(double[] values) => Math.Sqrt(values.Sum(value => value * value));
}
