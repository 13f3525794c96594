using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Training;

/// <summary>
/// Boundaries that wait in pinned host memory. A few device slots hold those in use; copies run beside the
/// computation. A boundary that is still in a slot is not copied back.
/// </summary>
internal sealed class HostBoundaries : BoundaryStore
{
    /// <summary>Input and gradient in use, input and gradient on their way.</summary>
    private const int SlotCount = 4;

    private readonly PlannedTensor[] _host;
    private readonly Slot[] _slots = new Slot[SlotCount];
    private readonly StepShape _shape;
    private int _clock;

    public HostBoundaries(TensorTable table, BoundaryTensors tensors)
    {
        _shape = tensors.Shape;
        _host = tensors.Declare(table, MemorySpace.PinnedHost);
        for (int slot = 0; slot < SlotCount; slot++)
        {
            _slots[slot] = new Slot(table.Transient(
                $"{tensors.Name}.slot{slot}", tensors.DType, _shape.TokensPerMicroBatch, tensors.Columns, TensorCategory.Staging));
        }
    }

    public override void Begin(IDevice device)
    {
        _clock = 0;
        foreach (Slot slot in _slots)
        {
            slot.Settle(device);
            slot.Boundary = -1;
            slot.LastUse = 0;
        }
    }

    public override Tensor Read(IDevice device, int boundary, int microBatch)
    {
        Slot slot = Acquire(device, boundary, microBatch, fetch: true);
        slot.Settle(device);
        return slot.Tensor;
    }

    public override void Prefetch(IDevice device, int boundary, int microBatch)
    {
        if (microBatch < _shape.GradAccum)
        {
            Acquire(device, boundary, microBatch, fetch: true);
        }
    }

    public override Tensor BeginWrite(IDevice device, int boundary, int microBatch)
    {
        Slot slot = Acquire(device, boundary, microBatch, fetch: false);
        slot.Settle(device);
        return slot.Tensor;
    }

    public override void EndWrite(IDevice device, int boundary, int microBatch)
    {
        Slot slot = Acquire(device, boundary, microBatch, fetch: false);
        slot.Pending.Add(device.BeginTransfer(slot.Tensor, HostRows(boundary, microBatch)));
    }

    private Tensor HostRows(int boundary, int microBatch) =>
        _host[boundary].RowRange(microBatch * _shape.TokensPerMicroBatch, _shape.TokensPerMicroBatch);

    private Slot Acquire(IDevice device, int boundary, int microBatch, bool fetch)
    {
        Slot oldest = _slots[0];
        foreach (Slot slot in _slots)
        {
            if (slot.Boundary == boundary && slot.MicroBatch == microBatch)
            {
                slot.LastUse = ++_clock;
                return slot;
            }

            if (slot.LastUse < oldest.LastUse)
            {
                oldest = slot;
            }
        }

        (oldest.Boundary, oldest.MicroBatch, oldest.LastUse) = (boundary, microBatch, ++_clock);
        if (fetch)
        {
            // Transfers keep their order: what the slot held is written back before, and no operation waits for that.
            oldest.Pending.Add(device.BeginTransfer(HostRows(boundary, microBatch), oldest.Tensor));
        }

        return oldest;
    }

    /// <summary>A piece of device memory and the boundary that is in it.</summary>
    private sealed class Slot(PlannedTensor tensor)
    {
        public PlannedTensor Tensor { get; } = tensor;

        public int Boundary { get; set; } = -1;

        public int MicroBatch { get; set; }

        public int LastUse { get; set; }

        public List<Transfer> Pending { get; } = [];

        /// <summary>Orders what follows after the copies that are on their way.</summary>
        public void Settle(IDevice device)
        {
            foreach (Transfer transfer in Pending)
            {
                device.AwaitTransfer(transfer);
            }

            Pending.Clear();
        }
    }
}
