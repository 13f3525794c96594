using System.Runtime.InteropServices;
using QApollo.Devices;

namespace QApollo.Checkpoints.Interchange;

/// <summary>
/// A parameter's rows in the order in which a file wants them, a few at a time: the whole tensor never exists in memory.
/// </summary>
/// <param name="stored">Where the rows are.</param>
/// <param name="headDim">
/// Rows per attention head whose halves are to be interleaved: row 2j of a head is its row j, row 2j + 1 its row j + headDim / 2.
/// This turns rotary pairs (j, j + headDim / 2) into neighbours. 0 keeps the order.
/// </param>
internal sealed class ExportedRows(StoredWeight stored, int headDim = 0)
{
    private const int PieceBytes = 4 << 20;

    private byte[] _bytes = [];
    private float[] _values = [];

    public StoredWeight Stored => stored;

    public int Rows => stored.Parameter.Rows;

    public int Columns => stored.Parameter.Columns;

    /// <summary>Groups of a row; 0 for dense values.</summary>
    public int Groups => stored.IsQuantized ? WeightMatrix.GroupsPerRow(Columns, stored.GroupSize) : 0;

    /// <summary>Rows to read at a time: a multiple of 4, and whole heads where their rows change places.</summary>
    public int PieceRows
    {
        get
        {
            int multiple = headDim > 0 ? headDim : 4;
            return Math.Max(1, PieceBytes / (Columns * sizeof(float)) / multiple) * multiple;
        }
    }

    /// <returns>[count, columns], valid until the next call.</returns>
    public ReadOnlySpan<float> ReadValues(int firstRow, int count)
    {
        if (_values.Length < count * Columns)
        {
            _values = new float[count * Columns];
        }

        Span<byte> values = MemoryMarshal.AsBytes(_values.AsSpan(0, count * Columns));
        stored.ReadProductRows(firstRow, values);

        // The rows of a bias are its values.
        Arrange(values, (stored.Parameter.IsVector ? 1 : Columns) * sizeof(float));
        return _values.AsSpan(0, count * Columns);
    }

    /// <summary>Codes of INT8 groups, [count, columns].</summary>
    public void ReadCodes(int firstRow, Span<byte> codes)
    {
        stored.Groups!.ReadCodes(firstRow, codes);
        Arrange(codes, Columns);
    }

    /// <summary>BF16 scales of INT8 groups, [count, groups].</summary>
    public void ReadScales(int firstRow, Span<byte> scales)
    {
        stored.Groups!.ReadScales(firstRow, scales);
        Arrange(scales, Groups * sizeof(ushort));
    }

    /// <summary>Zero points of INT8 groups, [count, groups].</summary>
    public void ReadZeroPoints(int firstRow, Span<byte> zeroPoints)
    {
        stored.Groups!.ReadZeroPoints(firstRow, zeroPoints);
        Arrange(zeroPoints, Groups);
    }

    private void Arrange(Span<byte> rows, int rowBytes)
    {
        if (headDim == 0)
        {
            return;
        }

        int headBytes = headDim * rowBytes;
        if (_bytes.Length < headBytes)
        {
            _bytes = new byte[headBytes];
        }

        for (int head = 0; head < rows.Length / headBytes; head++)
        {
            Span<byte> block = rows.Slice(head * headBytes, headBytes);
            block.CopyTo(_bytes);
            for (int j = 0; j < headDim / 2; j++)
            {
                _bytes.AsSpan(j * rowBytes, rowBytes).CopyTo(block[(2 * j * rowBytes)..]);
                _bytes.AsSpan((j + (headDim / 2)) * rowBytes, rowBytes).CopyTo(block[(((2 * j) + 1) * rowBytes)..]);
            }
        }
    }
}
