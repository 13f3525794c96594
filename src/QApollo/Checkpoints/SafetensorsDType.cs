namespace QApollo.Checkpoints;

/// <summary>Element types of safetensors files that this program reads and writes; always little-endian.</summary>
public enum SafetensorsDType
{
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    U8,
    I8,
    Bool,
}

public static class SafetensorsDTypeExtensions
{
    /// <summary>Bytes of one element.</summary>
    public static int Size(this SafetensorsDType dtype) => dtype switch
    {
        SafetensorsDType.F64 or SafetensorsDType.I64 => 8,
        SafetensorsDType.F32 or SafetensorsDType.I32 => 4,
        SafetensorsDType.F16 or SafetensorsDType.BF16 => 2,
        SafetensorsDType.U8 or SafetensorsDType.I8 or SafetensorsDType.Bool => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "unknown element type"),
    };

    /// <summary>The name that the file format uses: F32, BOOL, ...</summary>
    public static string FormatName(this SafetensorsDType dtype) => dtype == SafetensorsDType.Bool ? "BOOL" : dtype.ToString();

    /// <summary>The type of that name in the file format; null for names that are unknown or not supported.</summary>
    public static SafetensorsDType? Parse(string? name) => name switch
    {
        "F64" => SafetensorsDType.F64,
        "F32" => SafetensorsDType.F32,
        "F16" => SafetensorsDType.F16,
        "BF16" => SafetensorsDType.BF16,
        "I64" => SafetensorsDType.I64,
        "I32" => SafetensorsDType.I32,
        "U8" => SafetensorsDType.U8,
        "I8" => SafetensorsDType.I8,
        "BOOL" => SafetensorsDType.Bool,
        _ => null,
    };
}
