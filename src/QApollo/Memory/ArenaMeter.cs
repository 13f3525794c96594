using QApollo.Devices;

namespace QApollo.Memory;

/// <summary>
/// Measures what a real run does to its arena: watches every operation, finds the planned tensor that each buffer is
/// (one that the plan says lives there at that operation), and adds up what was really in use. Attach it from the
/// run's first operation on; it follows the rehearsal: initial weights, one step, one evaluation.
/// </summary>
public sealed class ArenaMeter : IOperationObserver
{
    private readonly MemoryPlan _plan;
    private readonly LivenessAnalysis _liveness;
    private readonly List<PlannedTensor> _byOffset;

    public ArenaMeter(MemoryPlan plan)
    {
        _plan = plan;
        _liveness = new LivenessAnalysis(Resolve);
        _byOffset = [.. plan.Table.Tensors.OrderBy(tensor => tensor.Offset)];
    }

    /// <summary>Highest byte touched in the device arena.</summary>
    public long DeviceHighWater { get; private set; }

    /// <summary>Operations seen.</summary>
    public int Operations => _liveness.Operations.Count;

    /// <exception cref="InvalidOperationException">An operation is not that of the plan, or touches memory that the plan did not give it.</exception>
    public void OnOperation(string operation, ReadOnlySpan<Access> accesses)
    {
        int time = _liveness.Operations.Count;
        if (time >= _plan.Operations.Count || _plan.Operations[time] != operation)
        {
            throw new InvalidOperationException($"operation {time} is '{operation}', not that of the plan");
        }

        _liveness.OnOperation(operation, accesses);
    }

    /// <summary>What was in use over the operations, as touches show it.</summary>
    public MemoryUsage Measured(MemorySpace space) => MemoryUsage.Of(
        _plan.Table, space, _plan.Operations.Count, space == MemorySpace.Device ? DeviceHighWater : _plan.PinnedHostArenaBytes, _liveness.RangesOf);

    private PlannedTensor Resolve(Tensor view, int time)
    {
        foreach (PlannedTensor tensor in _byOffset)
        {
            Tensor planned = tensor;
            bool inside = view.Address >= planned.Address && view.Address + (nint)view.Bytes <= planned.Address + (nint)planned.Bytes;
            if (inside && (tensor.IsPersistent || LivesAt(tensor.LiveRanges, time)))
            {
                if (tensor.Space == MemorySpace.Device)
                {
                    DeviceHighWater = Math.Max(DeviceHighWater, tensor.Offset + TensorTable.Align(tensor.Bytes, _plan.Profile.Alignment));
                }

                return tensor;
            }
        }

        throw new InvalidOperationException($"operation {time} ({_plan.Operations[time]}) touches {view}, which the plan gave to nobody at that time");
    }

    private static bool LivesAt(IReadOnlyList<LiveRange> ranges, int time)
    {
        foreach (LiveRange range in ranges)
        {
            if (range.First <= time && time <= range.Last)
            {
                return true;
            }
        }

        return false;
    }
}
