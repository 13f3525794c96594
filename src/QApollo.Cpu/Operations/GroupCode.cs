using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using QApollo.Cpu.Numerics;
using QApollo.Quantization;

namespace QApollo.Cpu.Operations;

/// <summary>
/// Steps of coding one INT8 group, on buffers of <see cref="MaxGroup"/> elements. They work on whole registers: what lies
/// between the group's end and the register's must be values that change neither minimum nor maximum, such as 0.
/// Results do not depend on the width of a register: every step is exact or elementwise.
/// </summary>
internal static unsafe class GroupCode
{
    public const int MaxGroup = 256;

    /// <summary>The grid of the values.</summary>
    public static GroupGrid Range(float* values, int count, ZeroPointRule rule)
    {
        Vector<float> min = Vector<float>.Zero;
        Vector<float> max = min;
        for (int i = 0; i < count; i += Vector<float>.Count)
        {
            Vector<float> x = Vector.Load(values + i);
            min = Vector.Min(min, x);
            max = Vector.Max(max, x);
        }

        return GroupGrid.FromRange(Min(min), Max(max), rule);
    }

    /// <summary>In place: w / scale + zero.</summary>
    public static void ToGrid(float* values, GroupGrid grid, int count)
    {
        Vector<float> scale = Vector.Create(grid.Scale);
        Vector<float> zero = Vector.Create((float)grid.ZeroPoint);
        for (int i = 0; i < count; i += Vector<float>.Count)
        {
            (Vector.Load(values + i) / scale + zero).Store(values + i);
        }
    }

    /// <summary>
    /// x rounded to multiples of 2^-bits, limited to lowest..255: the nearest code (half up), and what is left of it in units of
    /// 2^-bits, as signed bytes.
    /// </summary>
    /// <param name="words">Random words: floor + (u &lt; frac), u the upper 24 bits of word + offset. Null: to nearest, half to even.</param>
    /// <param name="residuals">Zeros for 0 bits.</param>
    /// <returns>The sum of squares of rounded minus exact values, in codes.</returns>
    public static float Round(float* x, uint* words, uint offset, int bits, int lowest, byte* codes, byte* residuals, int count)
    {
        int width = Vector<float>.Count;
        var rounder = new Rounder(bits, offset, lowest);
        for (int i = 0; i < count; i += 4 * width)
        {
            Vector<int> f0 = rounder.Round(x, words, i);
            Vector<int> f1 = rounder.Round(x, words, i + width);
            Vector<int> f2 = rounder.Round(x, words, i + 2 * width);
            Vector<int> f3 = rounder.Round(x, words, i + 3 * width);
            Vector<int> q0 = rounder.Code(f0), q1 = rounder.Code(f1), q2 = rounder.Code(f2), q3 = rounder.Code(f3);
            Narrow(q0, q1, q2, q3).Store(codes + i);
            Narrow(f0 - (q0 << bits), f1 - (q1 << bits), f2 - (q2 << bits), f3 - (q3 << bits)).Store(residuals + i);
        }

        return Vector.Sum(rounder.Noise);
    }

    /// <summary>The smallest lane; NaN if there is one.</summary>
    public static float Min(Vector<float> lanes)
    {
        if (Vector<float>.Count != Vector256<float>.Count)
        {
            float result = lanes[0];
            for (int i = 1; i < Vector<float>.Count; i++)
            {
                result = MathF.Min(result, lanes[i]);
            }

            return result;
        }

        Vector256<float> all = lanes.AsVector256();
        Vector128<float> half = Vector128.Min(all.GetLower(), all.GetUpper());
        half = Vector128.Min(half, Vector128.Shuffle(half, Vector128.Create(2, 3, 0, 1)));
        return Vector128.Min(half, Vector128.Shuffle(half, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    /// <summary>The largest lane; NaN if there is one.</summary>
    public static float Max(Vector<float> lanes) => -Min(-lanes);

    /// <summary>How many of the bytes differ.</summary>
    public static int Differences(byte* a, byte* b, int count)
    {
        int same = 0;
        int i = 0;
        for (; i <= count - Vector256<byte>.Count; i += Vector256<byte>.Count)
        {
            same += BitOperations.PopCount(Vector256.Equals(Vector256.Load(a + i), Vector256.Load(b + i)).ExtractMostSignificantBits());
        }

        for (; i < count; i++)
        {
            same += a[i] == b[i] ? 1 : 0;
        }

        return count - same;
    }

    /// <summary>In how many places either the first two or the last two differ.</summary>
    public static int Differences(byte* a, byte* b, byte* c, byte* d, int count)
    {
        int same = 0;
        int i = 0;
        for (; i <= count - Vector256<byte>.Count; i += Vector256<byte>.Count)
        {
            Vector256<byte> both = Vector256.Equals(Vector256.Load(a + i), Vector256.Load(b + i))
                & Vector256.Equals(Vector256.Load(c + i), Vector256.Load(d + i));
            same += BitOperations.PopCount(both.ExtractMostSignificantBits());
        }

        for (; i < count; i++)
        {
            same += a[i] == b[i] && c[i] == d[i] ? 1 : 0;
        }

        return count - same;
    }

    /// <summary>The low bytes of whole numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<byte> Narrow(Vector<int> f0, Vector<int> f1, Vector<int> f2, Vector<int> f3) => Vector.Narrow(
        Vector.Narrow(Vector.AsVectorUInt32(f0), Vector.AsVectorUInt32(f1)), Vector.Narrow(Vector.AsVectorUInt32(f2), Vector.AsVectorUInt32(f3)));

    /// <summary>Rounding of one register of <see cref="GroupCode.Round"/>.</summary>
    private struct Rounder(int bits, uint offset, int lowest)
    {
        private readonly int _bits = bits;
        private readonly Vector<uint> _offset = Vector.Create(offset);
        private readonly Vector<float> _fine = Vector.Create((float)(1 << bits));
        private readonly Vector<float> _unit = Vector.Create(1f / (1 << bits));
        private readonly Vector<float> _least = Vector.Create((float)(lowest << bits));
        private readonly Vector<float> _most = Vector.Create((float)(255 << bits));
        private readonly Vector<int> _half = Vector.Create((1 << bits) / 2);

        public Vector<float> Noise = Vector<float>.Zero;

        /// <summary>The nearest code, half up.</summary>
        public readonly Vector<int> Code(Vector<int> fine) => (fine + _half) >> _bits;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector<int> Round(float* x, uint* words, int i)
        {
            Vector<float> value = Vector.Load(x + i) * _fine;
            Vector<float> rounded;
            if (words == null)
            {
                rounded = Vector.Round(value);
            }
            else
            {
                Vector<float> floor = Vector.Floor(value);
                Vector<float> uniform = PhiloxWords.ToUniform(Vector.Load(words + i) + _offset);
                rounded = Vector.ConditionalSelect(Vector.LessThan(uniform, value - floor), floor + Vector<float>.One, floor);
            }

            rounded = Vector.MinNative(Vector.MaxNative(rounded, _least), _most);
            Vector<float> error = (rounded - value) * _unit;
            Noise += error * error;
            return Vector.ConvertToInt32Native(rounded);
        }
    }
}
