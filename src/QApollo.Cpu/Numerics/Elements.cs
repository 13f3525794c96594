using System.Numerics;
using System.Runtime.CompilerServices;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Cpu.Numerics;

/// <summary>Reads and writes runs of F32 or BF16 elements as binary32.</summary>
internal static unsafe class Elements
{
    /// <summary>The elements as binary32: where they lie when they are F32, else converted into <paramref name="buffer"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float* Read(Tensor tensor, long first, int count, float* buffer)
    {
        if (tensor.DType == DType.F32)
        {
            return (float*)tensor.Address + first;
        }

        FromBFloat((ushort*)tensor.Address + first, buffer, count);
        return buffer;
    }

    /// <summary>Stores what <see cref="Read"/> gave, after it was changed in place; BF16 rounds to nearest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(Tensor tensor, long first, int count, float* values)
    {
        if (tensor.DType == DType.BF16)
        {
            ToBFloat(values, (ushort*)tensor.Address + first, count);
        }
    }

    public static void FromBFloat(ushort* source, float* destination, int count)
    {
        int width = Vector<ushort>.Count;
        int i = 0;
        for (; i <= count - width; i += width)
        {
            Vector.Widen(Vector.Load(source + i), out Vector<uint> low, out Vector<uint> high);
            Vector.AsVectorSingle(low << 16).Store(destination + i);
            Vector.AsVectorSingle(high << 16).Store(destination + i + width / 2);
        }

        for (; i < count; i++)
        {
            destination[i] = BFloat.ToSingle(source[i]);
        }
    }

    public static void ToBFloat(float* source, ushort* destination, int count)
    {
        int width = Vector<ushort>.Count;
        int i = 0;
        for (; i <= count - width; i += width)
        {
            Vector.Narrow(RoundToBFloat(Vector.Load(source + i)), RoundToBFloat(Vector.Load(source + i + width / 2))).Store(destination + i);
        }

        for (; i < count; i++)
        {
            destination[i] = BFloat.FromSingle(source[i]);
        }
    }

    /// <summary>The bits of <see cref="BFloat.FromSingle"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> RoundToBFloat(Vector<float> value)
    {
        Vector<uint> bits = Vector.AsVectorUInt32(value);
        Vector<uint> rounded = (bits + Vector.Create(0x7FFFu) + ((bits >> 16) & Vector<uint>.One)) >> 16;
        return Vector.ConditionalSelect(Vector.AsVectorUInt32(Vector.Equals(value, value)), rounded, Vector.Create(0x7FFFu));
    }
}
