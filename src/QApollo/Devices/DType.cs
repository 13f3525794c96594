namespace QApollo.Devices;

/// <summary>The element types that buffers can hold. The numeric values are written to files: they never change.</summary>
public enum DType
{
    /// <summary>IEEE binary32.</summary>
    F32 = 0,

    /// <summary>The upper 16 bits of a binary32 (bfloat16).</summary>
    BF16 = 1,

    /// <summary>Unsigned byte: INT8 codes, zero points, raw workspace.</summary>
    U8 = 2,

    /// <summary>Signed 32-bit integer: token ids, labels, counters.</summary>
    I32 = 3,

    /// <summary>Signed 64-bit integer: sums of many counters.</summary>
    I64 = 4,
}

public static class DTypeExtensions
{
    /// <summary>Bytes of one element.</summary>
    public static int Size(this DType dtype) => dtype switch
    {
        DType.F32 or DType.I32 => 4,
        DType.I64 => 8,
        DType.BF16 => 2,
        DType.U8 => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "unknown element type"),
    };
}
