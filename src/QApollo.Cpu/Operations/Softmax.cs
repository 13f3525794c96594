using System.Numerics;
using QApollo.Cpu.Numerics;

namespace QApollo.Cpu.Operations;

/// <summary>The passes over a row that softmax and cross-entropy are made of.</summary>
internal static unsafe class Softmax
{
    public static float Max(float* values, int count)
    {
        int width = Vector<float>.Count;
        int i = 0;
        float max = float.NegativeInfinity;
        if (count >= width)
        {
            Vector<float> m = Vector.Create(max);
            for (; i <= count - width; i += width)
            {
                m = Vector.Max(m, Vector.Load(values + i));
            }

            for (int lane = 0; lane < width; lane++)
            {
                max = MathF.Max(max, m[lane]);
            }
        }

        for (; i < count; i++)
        {
            max = MathF.Max(max, values[i]);
        }

        return max;
    }

    /// <summary>Sum of e^(value - max); short runs in binary32, their sums in binary64.</summary>
    public static double SumOfExponentials(float* values, int count, float max)
    {
        const int Run = 1024;
        int width = Vector<float>.Count;
        Vector<float> shift = Vector.Create(max);
        double total = 0;
        for (int start = 0; start < count; start += Run)
        {
            int end = Math.Min(start + Run, count);
            Vector<float> s0 = Vector<float>.Zero, s1 = s0;
            int i = start;
            for (; i <= end - 2 * width; i += 2 * width)
            {
                s0 += VectorMath.Exp(Vector.Load(values + i) - shift);
                s1 += VectorMath.Exp(Vector.Load(values + i + width) - shift);
            }

            float sum = Vector.Sum(s0 + s1);
            for (; i < end; i++)
            {
                sum += MathF.Exp(values[i] - max);
            }

            total += sum;
        }

        return total;
    }

    /// <summary>In place: factor * e^(value - logSumExp).</summary>
    public static void Probabilities(float* values, int count, float logSumExp, float factor)
    {
        int width = Vector<float>.Count;
        Vector<float> shift = Vector.Create(logSumExp);
        Vector<float> factors = Vector.Create(factor);
        int i = 0;
        for (; i <= count - width; i += width)
        {
            (VectorMath.Exp(Vector.Load(values + i) - shift) * factors).Store(values + i);
        }

        for (; i < count; i++)
        {
            values[i] = MathF.Exp(values[i] - logSumExp) * factor;
        }
    }

    /// <summary>In place: e^(value - max); returns the sum.</summary>
    public static float Exponentials(float* values, int count, float max)
    {
        int width = Vector<float>.Count;
        Vector<float> shift = Vector.Create(max);
        Vector<float> s0 = Vector<float>.Zero, s1 = s0;
        int i = 0;
        for (; i <= count - 2 * width; i += 2 * width)
        {
            Vector<float> e0 = VectorMath.Exp(Vector.Load(values + i) - shift);
            Vector<float> e1 = VectorMath.Exp(Vector.Load(values + i + width) - shift);
            e0.Store(values + i);
            e1.Store(values + i + width);
            s0 += e0;
            s1 += e1;
        }

        float sum = Vector.Sum(s0 + s1);
        for (; i < count; i++)
        {
            values[i] = MathF.Exp(values[i] - max);
            sum += values[i];
        }

        return sum;
    }

    /// <summary>In place, for one row: scores become P = e^(score - logSumExp), and their gradient dP becomes dS = P (dP - delta).</summary>
    public static void Differentiate(float* scores, float* gradients, int count, float logSumExp, float delta)
    {
        int width = Vector<float>.Count;
        Vector<float> shift = Vector.Create(logSumExp);
        Vector<float> deltas = Vector.Create(delta);
        int i = 0;
        for (; i <= count - width; i += width)
        {
            Vector<float> p = VectorMath.Exp(Vector.Load(scores + i) - shift);
            p.Store(scores + i);
            (p * (Vector.Load(gradients + i) - deltas)).Store(gradients + i);
        }

        for (; i < count; i++)
        {
            scores[i] = MathF.Exp(scores[i] - logSumExp);
            gradients[i] = scores[i] * (gradients[i] - delta);
        }
    }
}
