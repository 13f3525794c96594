using System.Buffers.Binary;
using QApollo.Quantization;

namespace QApollo.Checkpoints.Interchange.Gguf;

/// <summary>
/// ggml's Q8_0: 32 neighbours of a row as a binary16 scale d and 32 signed bytes q; the value is d * q. q = -128 is left
/// out, as ggml's own quantizer does.
/// </summary>
internal static class Q8Block
{
    public const int Values = 32;

    public const int Bytes = sizeof(ushort) + Values;

    private const int MaxCode = 127;

    /// <summary>d = max |x| / 127, q = round(x / d).</summary>
    /// <exception cref="UsageException">d is beyond binary16.</exception>
    public static void Quantize(ReadOnlySpan<float> values, Span<byte> block)
    {
        float largest = 0;
        foreach (float value in values)
        {
            largest = Math.Max(largest, Math.Abs(value));
        }

        float scale = largest / MaxCode;
        var stored = (Half)scale;
        if (!Half.IsFinite(stored))
        {
            throw new UsageException($"--dtype q8_0: a weight of {largest} is beyond Q8_0; export bf16 or f32");
        }

        BinaryPrimitives.WriteHalfLittleEndian(block, stored);
        float inverse = scale == 0 ? 0 : 1 / scale;
        for (int i = 0; i < Values; i++)
        {
            block[sizeof(ushort) + i] = (byte)(sbyte)MathF.Round(values[i] * inverse, MidpointRounding.AwayFromZero);
        }
    }

    /// <summary>
    /// A part of an INT8 group, without any loss: possible where the BF16 scale is a binary16 value too and no code is
    /// more than 127 from the zero point.
    /// </summary>
    /// <returns>False, with the block undefined, where it is not.</returns>
    public static bool TryCopy(ReadOnlySpan<byte> codes, byte zeroPoint, ushort scaleBits, Span<byte> block)
    {
        float scale = BFloat.ToSingle(scaleBits);
        var stored = (Half)scale;
        if ((float)stored != scale)
        {
            return false;
        }

        BinaryPrimitives.WriteHalfLittleEndian(block, stored);
        for (int i = 0; i < Values; i++)
        {
            int code = codes[i] - zeroPoint;
            if (code is < -MaxCode or > MaxCode)
            {
                return false;
            }

            block[sizeof(ushort) + i] = (byte)(sbyte)code;
        }

        return true;
    }

    /// <summary>d * q.</summary>
    public static void Dequantize(ReadOnlySpan<byte> block, Span<float> values)
    {
        var scale = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
        for (int i = 0; i < Values; i++)
        {
            values[i] = scale * (sbyte)block[sizeof(ushort) + i];
        }
    }
}
