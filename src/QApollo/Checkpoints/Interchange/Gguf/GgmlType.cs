namespace QApollo.Checkpoints.Interchange.Gguf;

/// <summary>Element types of GGUF tensors, numbered as ggml does.</summary>
internal enum GgmlType : uint
{
    F32 = 0,
    F16 = 1,
    Q8_0 = 8,
    BF16 = 30,
}

internal static class GgmlTypes
{
    public static GgmlType Of(ExportDType dtype) => dtype switch
    {
        ExportDType.F32 => GgmlType.F32,
        ExportDType.F16 => GgmlType.F16,
        ExportDType.BF16 => GgmlType.BF16,
        ExportDType.Q8 => GgmlType.Q8_0,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "no type of GGUF tensors"),
    };

    /// <summary>The type of a matrix: rows that are no whole Q8_0 blocks become F16, as in llama.cpp's own tools.</summary>
    public static GgmlType For(ExportDType dtype, long columns) =>
        dtype == ExportDType.Q8 && columns % Q8Block.Values != 0 ? GgmlType.F16 : Of(dtype);

    public static long RowBytes(this GgmlType type, long columns) => type switch
    {
        GgmlType.F32 => columns * sizeof(float),
        GgmlType.Q8_0 => columns / Q8Block.Values * Q8Block.Bytes,
        _ => columns * sizeof(ushort),
    };

    /// <summary>Number of llama.cpp's llama_ftype for a file of mostly this type.</summary>
    public static uint FileType(this GgmlType type) => type switch
    {
        GgmlType.F32 => 0,
        GgmlType.F16 => 1,
        GgmlType.Q8_0 => 7,
        GgmlType.BF16 => 32,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "no type of GGUF tensors"),
    };
}
