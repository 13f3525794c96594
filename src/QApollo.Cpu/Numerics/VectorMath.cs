using System.Numerics;
using System.Runtime.CompilerServices;

namespace QApollo.Cpu.Numerics;

/// <summary>Elementary functions on a register of binary32 values; errors of about one unit in the last place.</summary>
internal static unsafe class VectorMath
{
    /// <summary>e^x: argument reduction by ln 2 in two parts, then a minimax polynomial of degree 6 (Cephes, expf).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Exp<T>(T x)
        where T : struct, ILanes<T>
    {
        T n = T.Round(x * T.Create(1.44269504f));
        T r = T.MultiplyAdd(n, T.Create(-0.693359375f), x);
        r = T.MultiplyAdd(n, T.Create(2.12194440e-4f), r);
        T p = T.Create(1.9875691500e-4f);
        p = T.MultiplyAdd(p, r, T.Create(1.3981999507e-3f));
        p = T.MultiplyAdd(p, r, T.Create(8.3334519073e-3f));
        p = T.MultiplyAdd(p, r, T.Create(4.1665795894e-2f));
        p = T.MultiplyAdd(p, r, T.Create(1.6666665459e-1f));
        p = T.MultiplyAdd(p, r, T.Create(5.0000001201e-1f));
        return T.ScaleExponential(T.MultiplyAdd(p, r * r, r) + T.Create(1f), n, x);
    }

    /// <summary>a * b + c, fused where the hardware does so.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> MultiplyAdd(Vector<float> a, Vector<float> b, Vector<float> c) => Vector.MultiplyAddEstimate(a, b, c);

    /// <summary>Sum of a[i] * b[i].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot(float* a, float* b, int count)
    {
        int width = Vector<float>.Count;
        Vector<float> s0 = Vector<float>.Zero, s1 = s0, s2 = s0, s3 = s0;
        int i = 0;
        for (; i <= count - 4 * width; i += 4 * width)
        {
            s0 = MultiplyAdd(Vector.Load(a + i), Vector.Load(b + i), s0);
            s1 = MultiplyAdd(Vector.Load(a + i + width), Vector.Load(b + i + width), s1);
            s2 = MultiplyAdd(Vector.Load(a + i + 2 * width), Vector.Load(b + i + 2 * width), s2);
            s3 = MultiplyAdd(Vector.Load(a + i + 3 * width), Vector.Load(b + i + 3 * width), s3);
        }

        for (; i <= count - width; i += width)
        {
            s0 = MultiplyAdd(Vector.Load(a + i), Vector.Load(b + i), s0);
        }

        float sum = Vector.Sum((s0 + s1) + (s2 + s3));
        for (; i < count; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }

    /// <summary>Sum of values; short runs in binary32, their sums in binary64.</summary>
    public static double Sum(float* values, long count)
    {
        const int Run = 512;
        int width = Vector<float>.Count;
        double total = 0;
        for (long start = 0; start < count; start += Run)
        {
            int length = (int)Math.Min(Run, count - start);
            float* run = values + start;
            Vector<float> s0 = Vector<float>.Zero, s1 = s0;
            int i = 0;
            for (; i <= length - 2 * width; i += 2 * width)
            {
                s0 += Vector.Load(run + i);
                s1 += Vector.Load(run + i + width);
            }

            float sum = Vector.Sum(s0 + s1);
            for (; i < length; i++)
            {
                sum += run[i];
            }

            total += sum;
        }

        return total;
    }

    /// <summary>Sum of squares; short runs in binary32, their sums in binary64.</summary>
    public static double SumOfSquares(float* values, int count)
    {
        const int Run = 1024;
        double total = 0;
        for (int start = 0; start < count; start += Run)
        {
            total += Dot(values + start, values + start, Math.Min(Run, count - start));
        }

        return total;
    }

    /// <summary>Largest magnitude, on the bits, whose order is that of magnitudes, with NaN above all; 0 of no values.</summary>
    public static float LargestMagnitude(float* values, int count)
    {
        const int Sign = int.MinValue;
        Vector<int> most = Vector<int>.Zero;
        int i = 0;
        for (; i <= count - Vector<int>.Count; i += Vector<int>.Count)
        {
            most = Vector.Max(most, Vector.AndNot(Vector.Load((int*)values + i), Vector.Create(Sign)));
        }

        int largest = 0;
        for (int lane = 0; lane < Vector<int>.Count; lane++)
        {
            largest = Math.Max(largest, most[lane]);
        }

        for (; i < count; i++)
        {
            largest = Math.Max(largest, BitConverter.SingleToInt32Bits(values[i]) & ~Sign);
        }

        return BitConverter.Int32BitsToSingle(largest);
    }

    /// <summary>destination += factor * source.</summary>
    public static void AddScaled(float* destination, float factor, float* source, int count)
    {
        int width = Vector<float>.Count;
        Vector<float> factors = Vector.Create(factor);
        int i = 0;
        for (; i <= count - width; i += width)
        {
            MultiplyAdd(factors, Vector.Load(source + i), Vector.Load(destination + i)).Store(destination + i);
        }

        for (; i < count; i++)
        {
            destination[i] += factor * source[i];
        }
    }

    /// <summary>destination = factor * source; they may be the same.</summary>
    public static void Multiply(float* source, float factor, float* destination, int count)
    {
        int width = Vector<float>.Count;
        Vector<float> factors = Vector.Create(factor);
        int i = 0;
        for (; i <= count - width; i += width)
        {
            (Vector.Load(source + i) * factors).Store(destination + i);
        }

        for (; i < count; i++)
        {
            destination[i] = source[i] * factor;
        }
    }
}
