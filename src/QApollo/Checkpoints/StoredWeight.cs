using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Models;
using QApollo.Quantization;

namespace QApollo.Checkpoints;

/// <summary>A parameter's tensors in a file.</summary>
/// <param name="groups">Null for dense values.</param>
internal sealed class StoredWeight(Parameter parameter, SafetensorsReader reader, SafetensorsEntry values, StoredGroups? groups = null)
{
    private const int PieceBytes = 4 << 20;

    private byte[] _buffer = [];

    public Parameter Parameter => parameter;

    /// <summary>Null for dense values.</summary>
    public StoredGroups? Groups => groups;

    public bool IsQuantized => groups is not null;

    /// <summary>Values per INT8 group; 0 for dense values.</summary>
    public int GroupSize => groups?.GroupSize ?? 0;

    /// <summary>The format that keeps the values as they are.</summary>
    public WeightFormat Format => IsQuantized ? WeightFormat.Int8 : values.DType == SafetensorsDType.BF16 ? WeightFormat.BF16 : WeightFormat.F32;

    /// <exception cref="InvalidFileException">A shape or type is not that of the parameter.</exception>
    public void Check()
    {
        if (groups is not null && !parameter.IsVector)
        {
            groups.Check();
            return;
        }

        if (values.DType is not (SafetensorsDType.F32 or SafetensorsDType.F16 or SafetensorsDType.BF16))
        {
            throw new InvalidFileException(reader.Path, $"holds {values}; weights are F32, F16, BF16, or INT8 groups");
        }

        // Vectors have one dimension, as Hugging Face stores them.
        long[] shape = parameter.IsVector || (parameter.Rows == 1 && values.Shape.Count == 1) ? [parameter.Columns] : [parameter.Rows, parameter.Columns];
        if (!values.Shape.SequenceEqual(shape))
        {
            throw new InvalidFileException(
                reader.Path, $"holds {values}, but {CheckpointFolder.ConfigFile} makes it {values.DType.FormatName()}[{string.Join(", ", shape)}]");
        }
    }

    /// <summary>Copies codes, scales and zero points as they are.</summary>
    public void Copy(IDevice device, Weight weight)
    {
        Copy(device, weight.Values, groups!.ReadCodes);
        Copy(device, weight.Scales!, groups.ReadScales);
        Copy(device, weight.ZeroPoints!, groups.ReadZeroPoints);
    }

    /// <summary>Fills <paramref name="destination"/> with whole rows from <paramref name="firstRow"/> on, as binary32.</summary>
    public void ReadRows(int firstRow, Span<byte> destination)
    {
        Span<float> rows = MemoryMarshal.Cast<byte, float>(destination);
        if (groups is not null)
        {
            Dequantize(firstRow, rows);
            return;
        }

        ReadOnlySpan<byte> stored = ReadElements((long)firstRow * parameter.Columns, rows.Length);
        switch (values.DType)
        {
            case SafetensorsDType.F32:
                MemoryMarshal.Cast<byte, float>(stored).CopyTo(rows);
                break;
            case SafetensorsDType.BF16:
                ReadOnlySpan<ushort> bfloats = MemoryMarshal.Cast<byte, ushort>(stored);
                for (int i = 0; i < rows.Length; i++)
                {
                    rows[i] = BFloat.ToSingle(bfloats[i]);
                }

                break;
            default:
                ReadOnlySpan<Half> halves = MemoryMarshal.Cast<byte, Half>(stored);
                for (int i = 0; i < rows.Length; i++)
                {
                    rows[i] = (float)halves[i];
                }

                break;
        }
    }

    /// <summary>w = (q - z) * s.</summary>
    private void Dequantize(int firstRow, Span<float> rows)
    {
        int columns = parameter.Columns;
        int perRow = WeightMatrix.GroupsPerRow(columns, GroupSize);
        int count = rows.Length / columns;
        Span<byte> codes = Buffer(rows.Length);
        groups!.ReadCodes(firstRow, codes);
        var scales = new byte[count * perRow * sizeof(ushort)];
        var zeros = new byte[count * perRow];
        groups.ReadScales(firstRow, scales);
        groups.ReadZeroPoints(firstRow, zeros);
        ReadOnlySpan<ushort> scaleBits = MemoryMarshal.Cast<byte, ushort>(scales);
        for (int i = 0; i < rows.Length; i++)
        {
            int group = (i / columns * perRow) + (i % columns / GroupSize);
            rows[i] = (codes[i] - zeros[group]) * BFloat.ToSingle(scaleBits[group]);
        }
    }

    private ReadOnlySpan<byte> ReadElements(long first, int count)
    {
        int size = values.DType.Size();
        Span<byte> bytes = Buffer(count * size);
        reader.Read(values, first * size, bytes);
        return bytes;
    }

    private delegate void RowReader(int firstRow, Span<byte> rows);

    private void Copy(IDevice device, Tensor tensor, RowReader read)
    {
        int rowBytes = checked(tensor.Columns * tensor.DType.Size());
        int pieceRows = Math.Max(1, PieceBytes / rowBytes);
        for (int row = 0; row < tensor.Rows; row += pieceRows)
        {
            int count = Math.Min(pieceRows, tensor.Rows - row);
            Span<byte> piece = Buffer(count * rowBytes);
            read(row, piece);
            device.Upload(piece, tensor.RowRange(row, count));
        }
    }

    private Span<byte> Buffer(int bytes)
    {
        if (_buffer.Length < bytes)
        {
            _buffer = new byte[bytes];
        }

        return _buffer.AsSpan(0, bytes);
    }
}
