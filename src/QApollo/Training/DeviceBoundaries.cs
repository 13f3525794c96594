using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Training;

/// <summary>Boundaries that stay in device memory.</summary>
public sealed class DeviceBoundaries : BoundaryStore
{
    private readonly PlannedTensor[] _boundaries;
    private readonly int _tokens;

    public DeviceBoundaries(TensorTable table, int boundaries, int hiddenSize, StepShape shape, DType dtype)
    {
        _tokens = shape.TokensPerMicroBatch;
        _boundaries = new PlannedTensor[boundaries];
        for (int boundary = 0; boundary < boundaries; boundary++)
        {
            _boundaries[boundary] = table.Transient($"boundary.{boundary}", dtype, shape.TokensPerStep, hiddenSize, TensorCategory.Boundaries);
        }
    }

    public override void Begin(IDevice device)
    {
    }

    public override Tensor Read(IDevice device, int boundary, int microBatch) => _boundaries[boundary].RowRange(microBatch * _tokens, _tokens);

    public override void Prefetch(IDevice device, int boundary, int microBatch)
    {
    }

    public override Tensor BeginWrite(IDevice device, int boundary, int microBatch) => Read(device, boundary, microBatch);

    public override void EndWrite(IDevice device, int boundary, int microBatch)
    {
    }
}
