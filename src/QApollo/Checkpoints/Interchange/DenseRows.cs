using System.Buffers.Binary;
using System.Runtime.InteropServices;
using QApollo.Quantization;

namespace QApollo.Checkpoints.Interchange;

/// <summary>Writes binary32 values in the dense element types, rounded to nearest.</summary>
internal static class DenseRows
{
    public static int ElementBytes(ExportDType dtype) => dtype == ExportDType.F32 ? sizeof(float) : sizeof(ushort);

    /// <param name="destination"><see cref="ElementBytes"/> for each value; little-endian.</param>
    /// <exception cref="UsageException">A value is too large for F16.</exception>
    public static void Encode(ExportDType dtype, ReadOnlySpan<float> values, Span<byte> destination)
    {
        switch (dtype)
        {
            case ExportDType.F32:
                MemoryMarshal.AsBytes(values).CopyTo(destination);
                break;
            case ExportDType.BF16:
                for (int i = 0; i < values.Length; i++)
                {
                    BinaryPrimitives.WriteUInt16LittleEndian(destination[(2 * i)..], BFloat.FromSingle(values[i]));
                }

                break;
            case ExportDType.F16:
                for (int i = 0; i < values.Length; i++)
                {
                    BinaryPrimitives.WriteHalfLittleEndian(destination[(2 * i)..], ToHalf(values[i]));
                }

                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "no dense element type");
        }
    }

    private static Half ToHalf(float value)
    {
        var half = (Half)value;
        return Half.IsFinite(half) || !float.IsFinite(value)
            ? half
            : throw new UsageException($"--dtype f16: a weight of {value} is beyond F16, which ends at 65504; export bf16 or f32");
    }
}
