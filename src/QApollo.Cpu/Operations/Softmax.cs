using System.Numerics;
using System.Runtime.Intrinsics;
using QApollo.Cpu.Numerics;

namespace QApollo.Cpu.Operations;

/// <summary>The passes over a row that softmax and cross-entropy are made of.</summary>
internal static unsafe class Softmax
{
    /// <summary>The largest value. A NaN may pass unseen; the exponentials show it.</summary>
    public static float Max(float* values, int count)
    {
        int width = Vector<float>.Count;
        float max = float.NegativeInfinity;
        Vector<float> m0 = Vector.Create(max), m1 = m0, m2 = m0, m3 = m0;
        int i = 0;
        for (; i <= count - 4 * width; i += 4 * width)
        {
            m0 = Vector.MaxNative(m0, Vector.Load(values + i));
            m1 = Vector.MaxNative(m1, Vector.Load(values + i + width));
            m2 = Vector.MaxNative(m2, Vector.Load(values + i + 2 * width));
            m3 = Vector.MaxNative(m3, Vector.Load(values + i + 3 * width));
        }

        for (; i <= count - width; i += width)
        {
            m0 = Vector.MaxNative(m0, Vector.Load(values + i));
        }

        m0 = Vector.MaxNative(Vector.MaxNative(m0, m1), Vector.MaxNative(m2, m3));
        for (int lane = 0; lane < width; lane++)
        {
            max = float.MaxNative(max, m0[lane]);
        }

        for (; i < count; i++)
        {
            max = float.MaxNative(max, values[i]);
        }

        return max;
    }

    /// <summary>Sum of e^(value - max); short runs in binary32, their sums in binary64.</summary>
    public static double SumOfExponentials(float* values, int count, float max)
    {
        const int Run = 1024;
        double total = 0;
        for (int start = 0; start < count; start += Run)
        {
            int end = Math.Min(start + Run, count);
            int i = start;
            float sum = Vector512.IsHardwareAccelerated ? SumOfExponentials<Lanes512>(values, ref i, end, max) : 0;
            sum += SumOfExponentials<LanesVector>(values, ref i, end, max);
            total += sum + SumOfExponentials<LanesScalar>(values, ref i, end, max);
        }

        return total;
    }

    /// <summary>In place: factor * e^(value - logSumExp).</summary>
    public static void Probabilities(float* values, int count, float logSumExp, float factor)
    {
        int i = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            Probabilities<Lanes512>(values, ref i, count, logSumExp, factor);
        }

        Probabilities<LanesVector>(values, ref i, count, logSumExp, factor);
        Probabilities<LanesScalar>(values, ref i, count, logSumExp, factor);
    }

    /// <summary>In place: e^(value - max); returns the sum.</summary>
    public static float Exponentials(float* values, int count, float max)
    {
        int i = 0;
        float sum = Vector512.IsHardwareAccelerated ? Exponentials<Lanes512>(values, ref i, count, max) : 0;
        sum += Exponentials<LanesVector>(values, ref i, count, max);
        return sum + Exponentials<LanesScalar>(values, ref i, count, max);
    }

    /// <summary>In place, for one row: scores become P = e^(score - logSumExp), and their gradient dP becomes dS = P (dP - delta).</summary>
    public static void Differentiate(float* scores, float* gradients, int count, float logSumExp, float delta)
    {
        int i = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            Differentiate<Lanes512>(scores, gradients, ref i, count, logSumExp, delta);
        }

        Differentiate<LanesVector>(scores, gradients, ref i, count, logSumExp, delta);
        Differentiate<LanesScalar>(scores, gradients, ref i, count, logSumExp, delta);
    }

    private static float SumOfExponentials<T>(float* values, ref int i, int end, float max)
        where T : struct, ILanes<T>
    {
        T shift = T.Create(max);
        T s0 = T.Create(0), s1 = s0;
        for (; i <= end - 2 * T.Count; i += 2 * T.Count)
        {
            s0 += VectorMath.Exp(T.Load(values + i) - shift);
            s1 += VectorMath.Exp(T.Load(values + i + T.Count) - shift);
        }

        for (; i <= end - T.Count; i += T.Count)
        {
            s0 += VectorMath.Exp(T.Load(values + i) - shift);
        }

        return (s0 + s1).Sum();
    }

    private static void Probabilities<T>(float* values, ref int i, int count, float logSumExp, float factor)
        where T : struct, ILanes<T>
    {
        T shift = T.Create(logSumExp);
        T factors = T.Create(factor);
        for (; i <= count - T.Count; i += T.Count)
        {
            (VectorMath.Exp(T.Load(values + i) - shift) * factors).Store(values + i);
        }
    }

    private static float Exponentials<T>(float* values, ref int i, int count, float max)
        where T : struct, ILanes<T>
    {
        T shift = T.Create(max);
        T sum = T.Create(0);
        for (; i <= count - T.Count; i += T.Count)
        {
            T e = VectorMath.Exp(T.Load(values + i) - shift);
            e.Store(values + i);
            sum += e;
        }

        return sum.Sum();
    }

    private static void Differentiate<T>(float* scores, float* gradients, ref int i, int count, float logSumExp, float delta)
        where T : struct, ILanes<T>
    {
        T shift = T.Create(logSumExp);
        T deltas = T.Create(delta);
        for (; i <= count - T.Count; i += T.Count)
        {
            T p = VectorMath.Exp(T.Load(scores + i) - shift);
            p.Store(scores + i);
            (p * (T.Load(gradients + i) - deltas)).Store(gradients + i);
        }
    }
}
