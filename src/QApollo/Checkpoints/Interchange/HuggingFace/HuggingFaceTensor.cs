namespace QApollo.Checkpoints.Interchange.HuggingFace;

/// <summary>Takes the bytes of a tensor in order.</summary>
internal delegate void ByteSink(ReadOnlySpan<byte> bytes);

/// <summary>A tensor of an exported folder.</summary>
/// <param name="WriteTo">Hands all its bytes over, a few rows at a time.</param>
internal sealed record HuggingFaceTensor(SafetensorsDeclaration Declaration, Action<ByteSink> WriteTo)
{
    /// <summary>A parameter in a dense element type.</summary>
    public static HuggingFaceTensor Dense(StoredWeight stored, ExportDType dtype)
    {
        var rows = new ExportedRows(stored);
        SafetensorsDType type = dtype switch
        {
            ExportDType.F32 => SafetensorsDType.F32,
            ExportDType.F16 => SafetensorsDType.F16,
            _ => SafetensorsDType.BF16,
        };
        string name = stored.Parameter.Name;
        SafetensorsDeclaration declaration = stored.Parameter.IsVector
            ? new SafetensorsDeclaration(name, type, rows.Columns)
            : new SafetensorsDeclaration(name, type, rows.Rows, rows.Columns);
        return new HuggingFaceTensor(declaration, sink =>
        {
            byte[] piece = [];
            for (int row = 0; row < rows.Rows; row += rows.PieceRows)
            {
                int count = Math.Min(rows.PieceRows, rows.Rows - row);
                Array.Resize(ref piece, count * rows.Columns * DenseRows.ElementBytes(dtype));
                DenseRows.Encode(dtype, rows.ReadValues(row, count), piece);
                sink(piece);
            }
        });
    }
}
