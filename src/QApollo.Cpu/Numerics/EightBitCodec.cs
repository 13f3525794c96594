using QApollo.Devices;

namespace QApollo.Cpu.Numerics;

/// <summary>Codes of a block: indices of the nearest entries of a map, relative to the block's largest magnitude.</summary>
internal sealed unsafe class EightBitCodec
{
    public static readonly EightBitCodec First = new(EightBitMap.FirstMoment);
    public static readonly EightBitCodec Second = new(EightBitMap.SecondMoment);

    private readonly float[] _values;

    /// <summary>Entry i lies between values i and i + 1; the last one is above all values.</summary>
    private readonly float[] _bounds;

    private EightBitCodec(ReadOnlySpan<float> values)
    {
        _values = values.ToArray();
        _bounds = new float[_values.Length];
        for (int i = 0; i < _values.Length - 1; i++)
        {
            _bounds[i] = (_values[i] + _values[i + 1]) / 2;
        }

        _bounds[^1] = float.PositiveInfinity;
    }

    public void Decode(byte* codes, float scale, float* values, int count)
    {
        for (int i = 0; i < count; i++)
        {
            values[i] = _values[codes[i]] * scale;
        }
    }

    /// <summary>Returns the scale: the largest magnitude.</summary>
    public float Encode(float* values, byte* codes, int count)
    {
        float scale = 0;
        for (int i = 0; i < count; i++)
        {
            scale = MathF.Max(scale, MathF.Abs(values[i]));
        }

        float divisor = scale == 0 ? 1 : scale;
        for (int i = 0; i < count; i++)
        {
            codes[i] = Nearest(values[i] / divisor);
        }

        return scale;
    }

    /// <summary>Binary search for the number of bounds below x.</summary>
    private byte Nearest(float x)
    {
        int code = 0;
        for (int step = 128; step > 0; step >>= 1)
        {
            code += x > _bounds[code + step - 1] ? step : 0;
        }

        return (byte)code;
    }
}
