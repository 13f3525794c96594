namespace QApollo.Quantization;

/// <summary>Conversions between binary32 and bfloat16, the upper half of a binary32.</summary>
public static class BFloat
{
    public static float ToSingle(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>Round to nearest, ties to even; NaN becomes 0x7FFF, as the GPU's conversion gives.</summary>
    public static ushort FromSingle(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value))
        {
            return 0x7FFF;
        }

        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>The smallest bfloat16 value that is not below a positive finite <paramref name="value"/>.</summary>
    public static float RoundUp(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0xFFFF) & 0xFFFF0000);
    }
}
