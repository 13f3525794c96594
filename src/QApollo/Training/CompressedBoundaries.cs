using QApollo.Devices;
using QApollo.Memory;
using QApollo.Quantization;

namespace QApollo.Training;

/// <summary>
/// Layer inputs that are kept in fewer bits than they are computed in. The forward pass goes on with what was computed, each
/// layer's output taking the place of its input; a rounded copy of every input is kept, from which the layer is recomputed. So the
/// loss is that of a run without rounding, and a layer's rounding reaches the gradients through that layer's recomputation alone.
/// </summary>
internal sealed class CompressedBoundaries : BoundaryStore
{
    private readonly BoundaryStore _computed;
    private readonly BoundaryStore _kept;
    private readonly PlannedTensor _restored;
    private readonly BoundaryFormat _format;
    private readonly StepShape _shape;
    private readonly int _hiddenSize;
    private readonly int _layers;
    private BoundaryRounding? _rounding;

    /// <param name="computed">F32 or BF16: the activation dtype.</param>
    /// <param name="boundaries">The layers' inputs, and one or two that come after them.</param>
    public CompressedBoundaries(TensorTable table, TrainingOptions options, DType computed, int boundaries)
    {
        MemorySpace space = options.Memory.Boundaries;
        (_format, _shape, _hiddenSize, _layers) = (options.Memory.BoundaryFormat, options.Shape, options.Model.HiddenSize, options.Model.NumHiddenLayers);
        _computed = Create(table, space, new BoundaryTensors("activations", boundaries - _layers, _hiddenSize, _shape, computed));
        _kept = Create(table, space, _format == BoundaryFormat.Int8
            ? new BoundaryTensors("boundary", _layers, CodeBytes(_hiddenSize), _shape, DType.U8)
            : new BoundaryTensors("boundary", _layers, _hiddenSize, _shape, DType.BF16));
        _restored = table.Transient("boundary.restored", computed, _shape.TokensPerMicroBatch, _hiddenSize, TensorCategory.Activations);
    }

    /// <summary>For a pass without a gradient: nothing is kept.</summary>
    public override void Begin(IDevice device)
    {
        _rounding = null;
        _computed.Begin(device);
        _kept.Begin(device);
    }

    public override void Begin(IDevice device, in BoundaryRounding rounding)
    {
        Begin(device);
        _rounding = rounding;
    }

    public override Tensor Read(IDevice device, int boundary, int microBatch) => _computed.Read(device, Computed(boundary), microBatch);

    public override void Prefetch(IDevice device, int boundary, int microBatch) => _computed.Prefetch(device, Computed(boundary), microBatch);

    public override Tensor ReadKept(IDevice device, int layer, int microBatch)
    {
        Tensor kept = _kept.Read(device, layer, microBatch);
        if (_format == BoundaryFormat.Int8)
        {
            device.DequantizeRows(Codes(kept), Scales(kept), _restored);
        }
        else
        {
            device.Copy(kept, _restored);
        }

        return _restored;
    }

    public override void PrefetchKept(IDevice device, int layer, int microBatch) => _kept.Prefetch(device, layer, microBatch);

    public override Tensor BeginWrite(IDevice device, int boundary, int microBatch) => _computed.BeginWrite(device, Computed(boundary), microBatch);

    public override void EndWrite(IDevice device, int boundary, int microBatch)
    {
        if (boundary < _layers && _rounding is { } rounding)
        {
            Keep(device, boundary, microBatch, rounding);
        }

        _computed.EndWrite(device, Computed(boundary), microBatch);
    }

    private void Keep(IDevice device, int layer, int microBatch, in BoundaryRounding rounding)
    {
        Tensor input = _computed.Read(device, Computed(layer), microBatch);
        Tensor kept = _kept.BeginWrite(device, layer, microBatch);
        if (_format == BoundaryFormat.Int8)
        {
            var stream = new RandomStream(rounding.Seed, RandomPurpose.BoundaryRounding, (uint)layer, rounding.Update);
            device.QuantizeRows(input, stream, rounding.FirstToken + ((long)microBatch * _shape.TokensPerMicroBatch), Codes(kept), Scales(kept));
        }
        else
        {
            device.Copy(input, kept);
        }

        _kept.EndWrite(device, layer, microBatch);
    }

    /// <summary>All layers' inputs take turns in the memory of the last output; the gradient of a sliced head has its own.</summary>
    private int Computed(int boundary) => Math.Max(0, boundary - _layers);

    /// <summary>Bytes of a token: codes, then, as whole words, what is left for its scale.</summary>
    private static int CodeBytes(int hiddenSize) => checked((hiddenSize + (2 * sizeof(float)) - 1) / sizeof(float) * sizeof(float));

    /// <summary>U8 [N, H]: the beginning of a micro-batch's bytes.</summary>
    private Tensor Codes(Tensor kept) => kept.Reshape(kept.Rows, _hiddenSize);

    /// <summary>F32 [1, N]: their end.</summary>
    private static Tensor Scales(Tensor kept) =>
        new(kept.Address + (nint)((long)kept.Rows * (kept.Columns - sizeof(float))), DType.F32, 1, kept.Rows);
}
