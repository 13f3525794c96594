using System.Numerics;
using System.Runtime.CompilerServices;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Cpu.Numerics;

/// <summary>Reads parts of the rows of a weight as binary32.</summary>
internal static unsafe class WeightRows
{
    /// <summary>Values <paramref name="first"/> .. + <paramref name="count"/> of a row: in place when they are F32, else in <paramref name="buffer"/>.</summary>
    public static float* Read(in WeightMatrix weight, int row, int first, int count, float* buffer)
    {
        if (!weight.IsQuantized)
        {
            return Elements.Read(weight.Values, (long)row * weight.InFeatures + first, count, buffer);
        }

        Dequantize(weight, row, first, count, buffer);
        return buffer;
    }

    private static void Dequantize(in WeightMatrix weight, int row, int first, int count, float* destination)
    {
        byte* codes = (byte*)weight.Values.Address + (long)row * weight.InFeatures;
        ushort* scales = (ushort*)weight.Scales.Address + (long)row * weight.Scales.Columns;
        byte* zeros = (byte*)weight.ZeroPoints.Address + (long)row * weight.ZeroPoints.Columns;
        int end = first + count;
        for (int group = first / weight.GroupSize; first < end; group++)
        {
            int length = Math.Min((group + 1) * weight.GroupSize, end) - first;
            Dequantize(codes + first, BFloat.ToSingle(scales[group]), zeros[group], length, destination);
            destination += length;
            first += length;
        }
    }

    /// <summary>(code - zero) * scale.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Dequantize(byte* codes, float scale, byte zero, int count, float* destination)
    {
        int width = Vector<float>.Count;
        Vector<int> zeros = Vector.Create((int)zero);
        Vector<float> scales = Vector.Create(scale);
        int i = 0;
        for (; i <= count - 4 * width; i += 4 * width)
        {
            Vector.Widen(Vector.Load(codes + i), out Vector<ushort> low, out Vector<ushort> high);
            Vector.Widen(low, out Vector<uint> q0, out Vector<uint> q1);
            Vector.Widen(high, out Vector<uint> q2, out Vector<uint> q3);
            (Vector.ConvertToSingle(Vector.AsVectorInt32(q0) - zeros) * scales).Store(destination + i);
            (Vector.ConvertToSingle(Vector.AsVectorInt32(q1) - zeros) * scales).Store(destination + i + width);
            (Vector.ConvertToSingle(Vector.AsVectorInt32(q2) - zeros) * scales).Store(destination + i + 2 * width);
            (Vector.ConvertToSingle(Vector.AsVectorInt32(q3) - zeros) * scales).Store(destination + i + 3 * width);
        }

        for (; i < count; i++)
        {
            destination[i] = (codes[i] - zero) * scale;
        }
    }
}
