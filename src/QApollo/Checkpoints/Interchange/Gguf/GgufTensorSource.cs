namespace QApollo.Checkpoints.Interchange.Gguf;

/// <summary>The bytes of one tensor of a GGUF file, from the weights of a model.</summary>
/// <param name="rows">The weights in the order that llama.cpp wants.</param>
/// <param name="type">The element type in the file.</param>
internal sealed class GgufTensorSource(ExportedRows rows, GgmlType type)
{
    private byte[] _codes = [];
    private byte[] _scales = [];
    private byte[] _zeroPoints = [];

    /// <summary>Q8_0 blocks written so far.</summary>
    public long Blocks { get; private set; }

    /// <summary>Q8_0 blocks so far of INT8 groups.</summary>
    public long Int8Blocks => rows.Stored.IsQuantized ? Blocks : 0;

    /// <summary>Q8_0 blocks so far that hold their INT8 codes without loss.</summary>
    public long LosslessBlocks { get; private set; }

    public int PieceRows => rows.PieceRows;

    /// <param name="destination">The bytes of <paramref name="count"/> rows.</param>
    public void Encode(int firstRow, int count, Span<byte> destination)
    {
        if (type != GgmlType.Q8_0)
        {
            ExportDType dtype = type switch { GgmlType.F32 => ExportDType.F32, GgmlType.F16 => ExportDType.F16, _ => ExportDType.BF16 };
            DenseRows.Encode(dtype, rows.ReadValues(firstRow, count), destination);
            return;
        }

        ReadOnlySpan<float> values = rows.ReadValues(firstRow, count);
        bool isQuantized = rows.Stored.IsQuantized;
        if (isQuantized)
        {
            ReadGroups(firstRow, count);
        }

        for (int block = 0; block < values.Length / Q8Block.Values; block++)
        {
            Span<byte> target = destination.Slice(block * Q8Block.Bytes, Q8Block.Bytes);
            Blocks++;
            if (isQuantized && TryCopy(block, target))
            {
                LosslessBlocks++;
            }
            else
            {
                Q8Block.Quantize(values.Slice(block * Q8Block.Values, Q8Block.Values), target);
            }
        }
    }

    /// <summary>Groups have a multiple of 32 values, so that a block never has values of two.</summary>
    private bool TryCopy(int block, Span<byte> target)
    {
        int first = block * Q8Block.Values;
        int group = (first / rows.Columns * rows.Groups) + (first % rows.Columns / rows.Stored.GroupSize);
        ushort scale = BitConverter.ToUInt16(_scales, group * sizeof(ushort));
        return Q8Block.TryCopy(_codes.AsSpan(first, Q8Block.Values), _zeroPoints[group], scale, target);
    }

    private void ReadGroups(int firstRow, int count)
    {
        Resize(ref _codes, count * rows.Columns);
        Resize(ref _scales, count * rows.Groups * sizeof(ushort));
        Resize(ref _zeroPoints, count * rows.Groups);
        rows.ReadCodes(firstRow, _codes);
        rows.ReadScales(firstRow, _scales);
        rows.ReadZeroPoints(firstRow, _zeroPoints);
    }

    private static void Resize(ref byte[] array, int length)
    {
        if (array.Length != length)
        {
            array = new byte[length];
        }
    }
}
