using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Models;
using QApollo.Quantization;

namespace QApollo.Checkpoints;

/// <summary>A parameter's tensors in a file.</summary>
internal sealed class StoredWeight(Parameter parameter, SafetensorsReader reader, SafetensorsEntry values)
{
    private const int PieceBytes = 4 << 20;

    private byte[] _buffer = [];

    /// <summary>Values per INT8 group; 0 for dense values.</summary>
    public int GroupSize { get; init; }

    /// <summary>Null for dense values.</summary>
    public SafetensorsEntry? Scales { get; init; }

    /// <summary>Null for dense values.</summary>
    public SafetensorsEntry? ZeroPoints { get; init; }

    public bool IsQuantized => Scales is not null;

    /// <summary>The format that keeps the values as they are.</summary>
    public WeightFormat Format => values.DType switch
    {
        SafetensorsDType.U8 => WeightFormat.Int8,
        SafetensorsDType.BF16 => WeightFormat.BF16,
        _ => WeightFormat.F32,
    };

    /// <exception cref="InvalidFileException">A shape or type is not that of the parameter.</exception>
    public void Check()
    {
        if (values.DType is not (SafetensorsDType.U8 or SafetensorsDType.F32 or SafetensorsDType.F16 or SafetensorsDType.BF16)
            || (values.DType == SafetensorsDType.U8 && parameter.IsVector))
        {
            throw new InvalidFileException(reader.Path, $"holds {values}; weights are F32, F16, BF16, or INT8 groups");
        }

        Require(values, values.DType, parameter.Columns);
        if (IsQuantized)
        {
            int groups = WeightMatrix.GroupsPerRow(parameter.Columns, GroupSize);
            Require(Scales!, SafetensorsDType.BF16, groups);
            Require(ZeroPoints!, SafetensorsDType.U8, groups);
        }
    }

    /// <summary>Copies codes, scales and zero points as they are.</summary>
    public void Copy(IDevice device, Weight weight)
    {
        Copy(device, values, weight.Values);
        Copy(device, Scales!, weight.Scales!);
        Copy(device, ZeroPoints!, weight.ZeroPoints!);
    }

    /// <summary>Fills <paramref name="destination"/> with whole rows from <paramref name="firstRow"/> on, as binary32.</summary>
    public void ReadRows(int firstRow, Span<byte> destination)
    {
        Span<float> rows = MemoryMarshal.Cast<byte, float>(destination);
        long first = (long)firstRow * parameter.Columns;
        ReadOnlySpan<byte> stored = ReadElements(values, first, rows.Length);
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
            case SafetensorsDType.F16:
                ReadOnlySpan<Half> halves = MemoryMarshal.Cast<byte, Half>(stored);
                for (int i = 0; i < rows.Length; i++)
                {
                    rows[i] = (float)halves[i];
                }

                break;
            default:
                Dequantize(firstRow, stored, rows);
                break;
        }
    }

    /// <summary>w = (q - z) * s.</summary>
    private void Dequantize(int firstRow, ReadOnlySpan<byte> codes, Span<float> rows)
    {
        int columns = parameter.Columns;
        int groups = WeightMatrix.GroupsPerRow(columns, GroupSize);
        int count = rows.Length / columns;
        var scales = new byte[count * groups * sizeof(ushort)];
        var zeros = new byte[count * groups];
        reader.Read(Scales!, (long)firstRow * groups * sizeof(ushort), scales);
        reader.Read(ZeroPoints!, (long)firstRow * groups, zeros);
        ReadOnlySpan<ushort> scaleBits = MemoryMarshal.Cast<byte, ushort>(scales);
        for (int i = 0; i < rows.Length; i++)
        {
            int group = (i / columns * groups) + (i % columns / GroupSize);
            rows[i] = (codes[i] - zeros[group]) * BFloat.ToSingle(scaleBits[group]);
        }
    }

    private ReadOnlySpan<byte> ReadElements(SafetensorsEntry entry, long first, int count)
    {
        int size = entry.DType.Size();
        if (_buffer.Length < count * size)
        {
            _buffer = new byte[count * size];
        }

        Span<byte> bytes = _buffer.AsSpan(0, count * size);
        reader.Read(entry, first * size, bytes);
        return bytes;
    }

    private void Copy(IDevice device, SafetensorsEntry entry, Tensor tensor)
    {
        int pieceElements = PieceBytes / entry.DType.Size();
        for (long first = 0; first < entry.Elements; first += pieceElements)
        {
            int count = (int)Math.Min(pieceElements, entry.Elements - first);
            device.Upload(ReadElements(entry, first, count), tensor.ElementRange(first, count));
        }
    }

    /// <summary>Vectors have one dimension, as Hugging Face stores them.</summary>
    private void Require(SafetensorsEntry entry, SafetensorsDType dtype, int columns)
    {
        long[] shape = parameter.IsVector || (parameter.Rows == 1 && entry.Shape.Count == 1) ? [columns] : [parameter.Rows, columns];
        if (entry.DType != dtype || !entry.Shape.SequenceEqual(shape))
        {
            throw new InvalidFileException(
                reader.Path, $"holds {entry}, but {CheckpointFolder.ConfigFile} makes it {dtype.FormatName()}[{string.Join(", ", shape)}]");
        }
    }
}
