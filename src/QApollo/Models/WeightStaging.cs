using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Quantization;

namespace QApollo.Models;

/// <summary>
/// Fills weights a few rows at a time through a small F32 buffer, so that no weight ever exists in full precision.
/// The buffer shares its memory with activations: use it between steps only.
/// </summary>
public sealed class WeightStaging
{
    private const int BufferElements = 1 << 20;

    /// <summary>Random numbers come in blocks of four; rows in multiples of four keep slices on block limits.</summary>
    private const int RowMultiple = 4;

    private readonly ModelWeights _weights;
    private readonly PlannedTensor _buffer;

    public WeightStaging(TensorTable table, ModelWeights weights)
    {
        _weights = weights;
        int elements = weights.All.Max(weight => checked(SliceRows(weight.Parameter) * weight.Parameter.Columns));
        _buffer = table.Transient("staging.weights", DType.F32, 1, elements, TensorCategory.Staging);
    }

    /// <summary>Norms 1; biases 0; everything else N(0, initializer_range) as Hugging Face initializes a LLaMA, keyed by the seed.</summary>
    /// <exception cref="OperationCanceledException">Stopped between two weights.</exception>
    public void Initialize(IDevice device, LlamaConfig config, ulong seed, CancellationToken stop)
    {
        foreach (Weight weight in _weights.All)
        {
            stop.ThrowIfCancellationRequested();
            if (weight.Parameter.IsVector)
            {
                device.Fill(weight.Values, weight.Parameter.IsNorm ? 1f : 0f);
                continue;
            }

            _weights.Store.BeginWrite(device, weight);
            var stream = new RandomStream(seed, RandomPurpose.Initialization, (uint)weight.Parameter.Index, 0);
            foreach ((int firstRow, Tensor slice) in Slices(weight.Parameter))
            {
                device.FillNormal(slice, stream, (long)firstRow * slice.Columns, (float)config.InitializerRange);
                device.Quantize(slice, weight.Stored.RowRange(firstRow, slice.Rows));
            }

            _weights.Store.EndWrite(device, weight);
        }
    }

    /// <summary>Stores values that come from elsewhere, such as a full-precision checkpoint.</summary>
    /// <param name="read">Fills its second argument with the rows from the first on, as little-endian F32.</param>
    /// <param name="compare">Read INT8 groups back, to tell what they lose; costs about as much again.</param>
    /// <returns>What INT8 groups lost; nothing for dense weights, or when it was not compared.</returns>
    public QuantizationError Load(IDevice device, Weight weight, Action<int, Span<byte>> read, bool compare = false)
    {
        var host = new byte[SliceRows(weight.Parameter) * weight.Parameter.Columns * sizeof(float)];
        byte[] stored = compare && weight.Scales is not null ? new byte[host.Length] : [];
        var error = new QuantizationError();
        _weights.Store.BeginWrite(device, weight);
        foreach ((int firstRow, Tensor slice) in Slices(weight.Parameter))
        {
            Span<byte> bytes = host.AsSpan(0, (int)slice.Bytes);
            read(firstRow, bytes);
            device.Upload(bytes, slice);
            device.Quantize(slice, weight.Stored.RowRange(firstRow, slice.Rows));
            if (stored.Length > 0)
            {
                Span<byte> back = stored.AsSpan(0, bytes.Length);
                device.Dequantize(weight.Stored.RowRange(firstRow, slice.Rows), slice);
                device.Download(slice, back);
                error += QuantizationError.Of(MemoryMarshal.Cast<byte, float>(bytes), MemoryMarshal.Cast<byte, float>(back));
            }
        }

        _weights.Store.EndWrite(device, weight);
        return error;
    }

    /// <summary>Reads a weight back as F32: as products see it.</summary>
    /// <param name="write">Receives the first row's number and the rows' values, little-endian F32.</param>
    public void Read(IDevice device, Weight weight, Action<int, ReadOnlySpan<byte>> write) =>
        Read(device, weight, withResiduals: false, write);

    /// <summary>As <see cref="Read(IDevice, Weight, Action{int, ReadOnlySpan{byte}})"/>, with the residual bits that updates add up in.</summary>
    public void ReadFine(IDevice device, Weight weight, Action<int, ReadOnlySpan<byte>> write) => Read(device, weight, withResiduals: true, write);

    private void Read(IDevice device, Weight weight, bool withResiduals, Action<int, ReadOnlySpan<byte>> write)
    {
        _weights.Store.Fetch(device, weight);
        WeightMatrix stored = withResiduals ? weight.Stored : weight.Stored with { Residuals = default };
        var host = new byte[SliceRows(weight.Parameter) * weight.Parameter.Columns * sizeof(float)];
        foreach ((int firstRow, Tensor slice) in Slices(weight.Parameter))
        {
            Span<byte> bytes = host.AsSpan(0, (int)slice.Bytes);
            device.Dequantize(stored.RowRange(firstRow, slice.Rows), slice);
            device.Download(slice, bytes);
            write(firstRow, bytes);
        }
    }

    private static int SliceRows(Parameter parameter) =>
        Math.Min(parameter.Rows, Math.Max(RowMultiple, BufferElements / parameter.Columns / RowMultiple * RowMultiple));

    private IEnumerable<(int FirstRow, Tensor Slice)> Slices(Parameter parameter)
    {
        int sliceRows = SliceRows(parameter);
        for (int firstRow = 0; firstRow < parameter.Rows; firstRow += sliceRows)
        {
            yield return (firstRow, _buffer.View.Reshape(Math.Min(sliceRows, parameter.Rows - firstRow), parameter.Columns));
        }
    }
}
