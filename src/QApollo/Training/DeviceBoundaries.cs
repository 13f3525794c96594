using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Training;

/// <summary>Boundaries that stay in device memory.</summary>
internal sealed class DeviceBoundaries(TensorTable table, BoundaryTensors tensors) : BoundaryStore
{
    private readonly PlannedTensor[] _boundaries = tensors.Declare(table, MemorySpace.Device);
    private readonly int _tokens = tensors.Shape.TokensPerMicroBatch;

    public override Tensor Read(IDevice device, int boundary, int microBatch) => _boundaries[boundary].RowRange(microBatch * _tokens, _tokens);

    public override void Prefetch(IDevice device, int boundary, int microBatch)
    {
    }

    public override Tensor BeginWrite(IDevice device, int boundary, int microBatch) => Read(device, boundary, microBatch);

    public override void EndWrite(IDevice device, int boundary, int microBatch)
    {
    }
}
