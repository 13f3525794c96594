using System.Buffers.Binary;
using QApollo.Quantization;

namespace QApollo.Checkpoints.Interchange.HuggingFace;

/// <summary>
/// A matrix of INT8 groups as the tensors of compressed-tensors' pack-quantized form. Codes and scales are the same bytes; the
/// zero points of four rows go into one word.
/// </summary>
internal static class PackQuantizedMatrix
{
    /// <param name="isSymmetric">Leaves the zero points out: all are 128.</param>
    /// <exception cref="UsageException">The rows are no whole groups or words.</exception>
    public static IEnumerable<HuggingFaceTensor> Tensors(StoredWeight stored, bool isSymmetric)
    {
        var rows = new ExportedRows(stored);
        string name = stored.Parameter.Name;
        if (rows.Columns % stored.GroupSize != 0)
        {
            throw new UsageException(
                $"--dtype int8: {name} has rows of {rows.Columns} values, which are no whole groups of {stored.GroupSize}, as its readers want them; export bf16 or f32");
        }

        yield return new HuggingFaceTensor(
            new SafetensorsDeclaration(StoredGroups.PackedName(name), SafetensorsDType.I32, rows.Rows, rows.Columns / StoredGroups.Packed),
            sink => Copy(rows, rows.Columns, rows.ReadCodes, sink));
        yield return new HuggingFaceTensor(
            new SafetensorsDeclaration(StoredGroups.ScaleName(name), SafetensorsDType.BF16, rows.Rows, rows.Groups),
            sink => Copy(rows, rows.Groups * sizeof(ushort), rows.ReadScales, sink));
        if (!isSymmetric)
        {
            int words = PackedZeroPoints.WordsOf(rows.Rows);
            yield return new HuggingFaceTensor(
                new SafetensorsDeclaration(StoredGroups.PackedZeroPointName(name), SafetensorsDType.I32, words, rows.Groups),
                sink => PackZeroPoints(rows, sink));
        }

        yield return new HuggingFaceTensor(
            new SafetensorsDeclaration(StoredGroups.ShapeName(name), SafetensorsDType.I64, 2),
            sink =>
            {
                Span<byte> shape = stackalloc byte[2 * sizeof(long)];
                BinaryPrimitives.WriteInt64LittleEndian(shape, rows.Rows);
                BinaryPrimitives.WriteInt64LittleEndian(shape[sizeof(long)..], rows.Columns);
                sink(shape);
            });
    }

    /// <summary>Whether every zero point of the matrix is 128.</summary>
    public static bool IsSymmetric(StoredWeight stored)
    {
        var rows = new ExportedRows(stored);
        bool all = true;
        Copy(rows, rows.Groups, rows.ReadZeroPoints, zeroPoints => all &= !zeroPoints.ContainsAnyExcept(GroupGrid.SymmetricZeroPoint));
        return all;
    }

    private delegate void RowReader(int firstRow, Span<byte> bytes);

    private static void Copy(ExportedRows rows, int rowBytes, RowReader read, ByteSink sink)
    {
        byte[] piece = [];
        for (int row = 0; row < rows.Rows; row += rows.PieceRows)
        {
            Array.Resize(ref piece, Math.Min(rows.PieceRows, rows.Rows - row) * rowBytes);
            read(row, piece);
            sink(piece);
        }
    }

    private static void PackZeroPoints(ExportedRows rows, ByteSink sink)
    {
        // Pieces have whole words: a multiple of 4 rows.
        Copy(rows, rows.Groups, rows.ReadZeroPoints, zeroPoints => sink(PackedZeroPoints.Pack(zeroPoints, rows.Groups)));
    }
}
