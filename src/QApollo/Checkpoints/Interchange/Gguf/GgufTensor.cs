namespace QApollo.Checkpoints.Interchange.Gguf;

/// <summary>A tensor of a GGUF file.</summary>
/// <param name="Rows">1 for a vector, which is stored with one dimension.</param>
internal sealed record GgufTensor(string Name, GgmlType Type, long Rows, long Columns, bool IsVector)
{
    public long Bytes => checked(Rows * Type.RowBytes(Columns));
}
