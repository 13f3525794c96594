using System.Numerics;
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

    /// <summary>Null where the codes stand alone.</summary>
    public (SafetensorsReader Reader, SafetensorsEntry Entry)? Residuals { get; init; }

    /// <summary>0, 4 or 8.</summary>
    public int ResidualBits => Residuals is not { } stored ? 0 : stored.Entry.Elements == parameter.Elements ? 8 : 4;

    /// <summary>The file of the values.</summary>
    public string Path => reader.Path;

    /// <summary>Name of the element type of dense values.</summary>
    public string DenseType => values.DType.FormatName();

    /// <summary>The format that keeps the values as they are.</summary>
    public WeightFormat Format => IsQuantized ? WeightFormat.Int8 : values.DType == SafetensorsDType.BF16 ? WeightFormat.BF16 : WeightFormat.F32;

    /// <exception cref="InvalidFileException">A shape or type is not that of the parameter.</exception>
    public void Check()
    {
        if (groups is not null && !parameter.IsVector)
        {
            groups.Check();
            CheckResiduals();
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

    private void CheckResiduals()
    {
        if (Residuals is (SafetensorsReader residualReader, SafetensorsEntry residuals))
        {
            int columns = WeightMatrix.ResidualBytesPerRow(parameter.Columns, ResidualBits);
            if (residuals.DType != SafetensorsDType.U8 || !residuals.Shape.SequenceEqual([parameter.Rows, columns]))
            {
                throw new InvalidFileException(
                    residualReader.Path, $"holds {residuals}, but residual bits of {parameter.Name} are U8[{parameter.Rows}, {parameter.Columns}], or half as many columns for 4 bits");
            }
        }
    }

    /// <summary>Copies codes, scales, zero points and residuals as they are; a weight that has none stored starts with zeros.</summary>
    public void Copy(IDevice device, LayerStore store, Weight weight)
    {
        Copy(device, store, weight.Values, groups!.ReadCodes);
        Copy(device, store, weight.Scales!, groups.ReadScales);
        Copy(device, store, weight.ZeroPoints!, groups.ReadZeroPoints);
        if (weight.Residuals is not null && Residuals is (SafetensorsReader residualReader, SafetensorsEntry residuals))
        {
            CopyBytes(device, store, weight.Residuals, residualReader, residuals);
        }
        else if (weight.Residuals is not null)
        {
            store.Zero(device, weight.Residuals);
        }
    }

    /// <summary>Fills <paramref name="destination"/> with whole rows from <paramref name="firstRow"/> on, as binary32.</summary>
    /// <exception cref="InvalidFileException">A value is not finite.</exception>
    public void ReadRows(int firstRow, Span<byte> destination) => ReadRows(firstRow, destination, withResiduals: true);

    /// <summary>As <see cref="ReadRows(int, Span{byte})"/>, without the residual bits: what products read.</summary>
    /// <inheritdoc cref="ReadRows(int, Span{byte})" path="/exception"/>
    public void ReadProductRows(int firstRow, Span<byte> destination) => ReadRows(firstRow, destination, withResiduals: false);

    private void ReadRows(int firstRow, Span<byte> destination, bool withResiduals)
    {
        Span<float> rows = MemoryMarshal.Cast<byte, float>(destination);
        if (groups is not null)
        {
            Dequantize(firstRow, rows, withResiduals);
        }
        else
        {
            ReadDense(firstRow, rows);
        }

        RequireFinite(rows);
    }

    private void ReadDense(int firstRow, Span<float> rows)
    {
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

    /// <summary>w = (q - z + r / 2^bits) * s.</summary>
    private void Dequantize(int firstRow, Span<float> rows, bool withResiduals)
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
        sbyte[] residuals = withResiduals ? ReadResiduals((long)firstRow * columns, rows.Length) : new sbyte[rows.Length];
        float unit = 1f / (1 << ResidualBits);
        ReadOnlySpan<ushort> scaleBits = MemoryMarshal.Cast<byte, ushort>(scales);
        for (int i = 0; i < rows.Length; i++)
        {
            int group = (i / columns * perRow) + (i % columns / GroupSize);
            rows[i] = (codes[i] - zeros[group] + (residuals[i] * unit)) * BFloat.ToSingle(scaleBits[group]);
        }
    }

    /// <summary>Copies dense values that are stored in the type of the weight.</summary>
    public void CopyDense(IDevice device, LayerStore store, Weight weight) => CopyBytes(device, store, weight.Values, reader, values);

    private void CopyBytes(IDevice device, LayerStore store, Tensor tensor, SafetensorsReader source, SafetensorsEntry entry)
    {
        for (long offset = 0; offset < entry.ByteLength; offset += PieceBytes)
        {
            Span<byte> piece = Buffer((int)Math.Min(PieceBytes, entry.ByteLength - offset));
            source.Read(entry, offset, piece);
            store.Upload(device, piece, TensorFile.Part(tensor, offset, piece.Length));
        }
    }

    /// <summary>Of whole rows; zeros where there are none.</summary>
    private sbyte[] ReadResiduals(long first, int count)
    {
        var residuals = new sbyte[count];
        if (Residuals is not (SafetensorsReader source, SafetensorsEntry entry))
        {
            return residuals;
        }

        if (ResidualBits == 8)
        {
            source.Read(entry, first, MemoryMarshal.AsBytes(residuals.AsSpan()));
        }
        else
        {
            var packed = new byte[count / 2];
            source.Read(entry, first / 2, packed);
            for (int i = 0; i < count; i++)
            {
                residuals[i] = (sbyte)((sbyte)(packed[i / 2] << (i % 2 == 0 ? 4 : 0)) >> 4);
            }
        }

        return residuals;
    }

    private void RequireFinite(ReadOnlySpan<float> rows)
    {
        // Zero times anything that is not finite is NaN, and a sum keeps it.
        var sums = Vector<float>.Zero;
        int i = 0;
        for (; i <= rows.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            sums += new Vector<float>(rows[i..]) * Vector<float>.Zero;
        }

        float rest = Vector.Sum(sums);
        for (; i < rows.Length; i++)
        {
            rest += rows[i] * 0f;
        }

        if (rest != 0f)
        {
            throw new InvalidFileException(reader.Path, NotFinite(parameter));
        }
    }

    /// <summary>What an error says of such a parameter.</summary>
    public static string NotFinite(Parameter parameter) =>
        $"holds values in {parameter.Name} that are not finite (NaN or infinity): the model is damaged; take an earlier or another copy";

    private ReadOnlySpan<byte> ReadElements(long first, int count)
    {
        int size = values.DType.Size();
        Span<byte> bytes = Buffer(count * size);
        reader.Read(values, first * size, bytes);
        return bytes;
    }

    private delegate void RowReader(int firstRow, Span<byte> rows);

    private void Copy(IDevice device, LayerStore store, Tensor tensor, RowReader read)
    {
        int rowBytes = checked(tensor.Columns * tensor.DType.Size());
        int pieceRows = Math.Max(1, PieceBytes / rowBytes);
        for (int row = 0; row < tensor.Rows; row += pieceRows)
        {
            int count = Math.Min(pieceRows, tensor.Rows - row);
            Span<byte> piece = Buffer(count * rowBytes);
            read(row, piece);
            store.Upload(device, piece, tensor.RowRange(row, count));
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
