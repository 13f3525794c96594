using System.Numerics;
using QApollo.Devices;

namespace QApollo.Cpu.Numerics;

/// <summary>Codes of a block: indices of the nearest entries of a map, relative to the block's largest magnitude.</summary>
internal sealed unsafe class EightBitCodec
{
    public static readonly EightBitCodec First = new(EightBitMap.FirstMoment);
    public static readonly EightBitCodec Second = new(EightBitMap.SecondMoment);

    private readonly float[] _values;

    /// <summary>Entry i lies halfway between values i and i + 1; the last ones are above all values.</summary>
    private readonly float[] _bounds;

    /// <summary>By the upper 16 bits of a number: the code of the lowest number that starts with them.</summary>
    private readonly byte[] _firstCodes = new byte[1 << 16];

    private EightBitCodec(ReadOnlySpan<float> values)
    {
        _values = values.ToArray();
        _bounds = new float[_values.Length + 1];
        for (int i = 0; i < _values.Length - 1; i++)
        {
            _bounds[i] = (_values[i] + _values[i + 1]) / 2;
        }

        _bounds[^2] = _bounds[^1] = float.PositiveInfinity;
        for (uint cell = 0; cell < _firstCodes.Length; cell++)
        {
            float positive = BitConverter.UInt32BitsToSingle(cell << 16);
            float lowest = positive < 0 ? BitConverter.UInt32BitsToSingle((cell << 16) | 0xFFFF) : positive;
            _firstCodes[cell] = (byte)_bounds.Count(bound => bound < lowest);
        }
    }

    public void Decode(byte* codes, float scale, float* values, int count)
    {
        fixed (float* table = _values)
        {
            for (int i = 0; i < count; i++)
            {
                values[i] = table[codes[i]] * scale;
            }
        }
    }

    /// <summary>Returns the scale: the largest magnitude. The values are replaced by their shares of it.</summary>
    public float Encode(float* values, byte* codes, int count)
    {
        float scale = VectorMath.LargestMagnitude(values, count);
        Divide(values, scale == 0 ? 1 : scale, count);
        fixed (float* bounds = _bounds)
        fixed (byte* firstCodes = _firstCodes)
        {
            for (int i = 0; i < count; i++)
            {
                // Numbers that share their upper 16 bits differ by less than 1/128 of their size: at most two bounds lie between.
                float x = values[i];
                int code = firstCodes[BitConverter.SingleToUInt32Bits(x) >> 16];
                code += x > bounds[code] ? 1 : 0;
                code += x > bounds[code] ? 1 : 0;
                codes[i] = (byte)code;
            }
        }

        return scale;
    }

    private static void Divide(float* values, float divisor, int count)
    {
        int i = 0;
        for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            (Vector.Load(values + i) / Vector.Create(divisor)).Store(values + i);
        }

        for (; i < count; i++)
        {
            values[i] /= divisor;
        }
    }
}
