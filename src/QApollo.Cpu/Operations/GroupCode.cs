using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
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
    public static GroupGrid Range(float* values, int count)
    {
        Vector<float> min = Vector<float>.Zero;
        Vector<float> max = min;
        for (int i = 0; i < count; i += Vector<float>.Count)
        {
            Vector<float> x = Vector.Load(values + i);
            min = Vector.Min(min, x);
            max = Vector.Max(max, x);
        }

        return GroupGrid.FromRange(Min(min), Max(max));
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

    /// <summary>Codes nearest to x, half to even.</summary>
    public static void RoundNearest(float* x, byte* codes, int count)
    {
        int width = Vector<float>.Count;
        for (int i = 0; i < count; i += 4 * width)
        {
            Narrow(
                Vector.Round(Vector.Load(x + i)), Vector.Round(Vector.Load(x + i + width)),
                Vector.Round(Vector.Load(x + i + 2 * width)), Vector.Round(Vector.Load(x + i + 3 * width))).Store(codes + i);
        }
    }

    /// <summary>floor(x) + (u &lt; frac(x)), u the upper 24 bits of word + offset.</summary>
    public static void RoundStochastic(float* x, uint* words, uint offset, byte* codes, int count)
    {
        int width = Vector<float>.Count;
        Vector<uint> offsets = Vector.Create(offset);
        for (int i = 0; i < count; i += 4 * width)
        {
            Narrow(
                RoundStochastic(x + i, words + i, offsets), RoundStochastic(x + i + width, words + i + width, offsets),
                RoundStochastic(x + i + 2 * width, words + i + 2 * width, offsets),
                RoundStochastic(x + i + 3 * width, words + i + 3 * width, offsets)).Store(codes + i);
        }
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

    /// <summary>Stores the new codes over the old ones; returns how many differ.</summary>
    public static int Replace(byte* old, byte* codes, int count)
    {
        int same = 0;
        int i = 0;
        for (; i <= count - Vector256<byte>.Count; i += Vector256<byte>.Count)
        {
            Vector256<byte> code = Vector256.Load(codes + i);
            same += BitOperations.PopCount(Vector256.Equals(code, Vector256.Load(old + i)).ExtractMostSignificantBits());
            code.Store(old + i);
        }

        for (; i < count; i++)
        {
            same += codes[i] == old[i] ? 1 : 0;
            old[i] = codes[i];
        }

        return count - same;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> RoundStochastic(float* x, uint* words, Vector<uint> offset)
    {
        Vector<float> value = Vector.Load(x);
        Vector<float> floor = Vector.Floor(value);
        Vector<int> word = Vector.AsVectorInt32((Vector.Load(words) + offset) >> 8);
        Vector<float> uniform = Vector.ConvertToSingle(word) * Vector.Create(1f / 16777216f);
        return Vector.ConditionalSelect(Vector.LessThan(uniform, value - floor), floor + Vector<float>.One, floor);
    }

    /// <summary>Whole numbers to bytes, limited to 0..255.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<byte> Narrow(Vector<float> x0, Vector<float> x1, Vector<float> x2, Vector<float> x3) =>
        Vector.Narrow(Vector.Narrow(ToCode(x0), ToCode(x1)), Vector.Narrow(ToCode(x2), ToCode(x3)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> ToCode(Vector<float> x) => Vector.AsVectorUInt32(
        Vector.ConvertToInt32Native(Vector.MinNative(Vector.MaxNative(x, Vector<float>.Zero), Vector.Create(255f))));
}
