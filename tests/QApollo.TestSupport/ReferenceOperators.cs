using System.Runtime.CompilerServices;

namespace QApollo.TestSupport;

/// <summary>
/// The operators of LLaMA and their derivatives in binary64, row-major, as plain loops. N tokens (all sequences one
/// after another), C and O features. Backward operators add to the gradients they are given.
/// </summary>
internal static class ReferenceOperators
{
    /// <summary>y [N, O] = x [N, C] Wᵀ, W [O, C].</summary>
    public static double[] Linear(double[] x, double[] weight, int inFeatures)
    {
        int outFeatures = weight.Length / inFeatures;
        int tokens = x.Length / inFeatures;
        double[] y = new double[tokens * outFeatures];
        for (int t = 0; t < tokens; t++)
        {
            ReadOnlySpan<double> row = x.AsSpan(t * inFeatures, inFeatures);
            for (int o = 0; o < outFeatures; o++)
            {
                y[t * outFeatures + o] = Dot(row, weight.AsSpan(o * inFeatures, inFeatures));
            }
        }

        return y;
    }

    /// <summary>dx += dy W, dW += dyᵀ x.</summary>
    public static void LinearBackward(double[] x, double[] weight, double[] dy, int inFeatures, double[] dx, double[] dWeight)
    {
        int outFeatures = weight.Length / inFeatures;
        for (int i = 0; i < dy.Length; i++)
        {
            int token = i / outFeatures * inFeatures;
            int row = i % outFeatures * inFeatures;
            AddScaled(dx.AsSpan(token, inFeatures), dy[i], weight.AsSpan(row, inFeatures));
            AddScaled(dWeight.AsSpan(row, inFeatures), dy[i], x.AsSpan(token, inFeatures));
        }
    }

    /// <summary>y = x / sqrt(mean(x²) + eps) * gain, row by row (Zhang and Sennrich, arXiv 1910.07467).</summary>
    public static double[] RmsNorm(double[] x, double[] gain, double epsilon)
    {
        double[] y = new double[x.Length];
        for (int row = 0; row < x.Length; row += gain.Length)
        {
            double scale = InverseRms(x.AsSpan(row, gain.Length), epsilon);
            for (int c = 0; c < gain.Length; c++)
            {
                y[row + c] = x[row + c] * scale * gain[c];
            }
        }

        return y;
    }

    /// <summary>With s = 1 / rms: dgain += dy x s; dx += s (dy gain - x s² mean(dy gain x)).</summary>
    public static void RmsNormBackward(double[] x, double[] gain, double epsilon, double[] dy, double[] dx, double[] dGain)
    {
        int n = gain.Length;
        for (int row = 0; row < x.Length; row += n)
        {
            double s = InverseRms(x.AsSpan(row, n), epsilon);
            double mean = 0;
            for (int c = 0; c < n; c++)
            {
                mean += dy[row + c] * gain[c] * x[row + c] / n;
                dGain[c] += dy[row + c] * x[row + c] * s;
            }

            for (int c = 0; c < n; c++)
            {
                dx[row + c] += s * (dy[row + c] * gain[c] - x[row + c] * s * s * mean);
            }
        }
    }

    /// <summary>
    /// Rotates feature i and i + D/2 of each head by position * frequency i, in place (Su et al., arXiv 2104.09864,
    /// in the half-split order of Hugging Face), and multiplies them. The derivative is the rotation by the opposite angle.
    /// </summary>
    /// <param name="x">[N, heads * D].</param>
    /// <param name="frequencies">[D/2].</param>
    public static void Rotate(double[] x, int sequence, int features, double[] frequencies, double factor, bool backward)
    {
        int half = frequencies.Length;
        int headDim = 2 * half;
        for (int head = 0; head < x.Length; head += headDim)
        {
            int position = head / features % sequence;
            for (int i = 0; i < half; i++)
            {
                double angle = position * frequencies[i];
                var (sin, cos) = Math.SinCos(backward ? -angle : angle);
                double a = x[head + i];
                double b = x[head + i + half];
                x[head + i] = factor * (a * cos - b * sin);
                x[head + i + half] = factor * (b * cos + a * sin);
            }
        }
    }

    /// <summary>silu(gate) * up.</summary>
    public static double[] SwiGlu(double[] gate, double[] up) => [.. gate.Select((g, i) => g * Sigmoid(g) * up[i])];

    /// <summary>d silu(g) = sigmoid(g) (1 + g (1 - sigmoid(g))).</summary>
    public static (double[] DGate, double[] DUp) SwiGluBackward(double[] gate, double[] up, double[] dy)
    {
        double[] dGate = new double[gate.Length];
        double[] dUp = new double[gate.Length];
        for (int i = 0; i < gate.Length; i++)
        {
            double s = Sigmoid(gate[i]);
            dGate[i] = dy[i] * up[i] * s * (1 + gate[i] * (1 - s));
            dUp[i] = dy[i] * gate[i] * s;
        }

        return (dGate, dUp);
    }

    /// <summary>Softmax in place, safe against overflow.</summary>
    public static void Softmax(Span<double> x)
    {
        double max = double.NegativeInfinity;
        foreach (double value in x)
        {
            max = Math.Max(max, value);
        }

        double sum = 0;
        for (int i = 0; i < x.Length; i++)
        {
            x[i] = Math.Exp(x[i] - max);
            sum += x[i];
        }

        for (int i = 0; i < x.Length; i++)
        {
            x[i] /= sum;
        }
    }

    // These two are nearly all the time of an oracle, most of which run too short to be recompiled.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddScaled(Span<double> sum, double factor, ReadOnlySpan<double> x)
    {
        for (int i = 0; i < sum.Length; i++)
        {
            sum[i] += factor * x[i];
        }
    }

    public static double[] Add(double[] a, double[] b) => [.. a.Select((value, i) => value + b[i])];

    private static double InverseRms(ReadOnlySpan<double> x, double epsilon) => 1 / Math.Sqrt(Dot(x, x) / x.Length + epsilon);

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
