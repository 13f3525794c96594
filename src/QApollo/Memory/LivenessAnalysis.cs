using QApollo.Devices;

namespace QApollo.Memory;

/// <summary>
/// Watches the rehearsal of a step and derives when each transient tensor lives: from a write that does not look at
/// what was there, to the last access before the next such write. A read of a tensor that nothing has written is
/// a fault of the step and is reported as one.
/// </summary>
public sealed class LivenessAnalysis(TensorTable table) : IOperationObserver
{
    private readonly Dictionary<PlannedTensor, List<LiveRange>> _ranges = [];
    private readonly List<string> _operations = [];

    /// <summary>Names of the operations, in order; a live range indexes them.</summary>
    public IReadOnlyList<string> Operations => _operations;

    public void OnOperation(string operation, ReadOnlySpan<Access> accesses)
    {
        int time = _operations.Count;
        _operations.Add(operation);
        foreach (Access access in accesses)
        {
            if (!access.Tensor.IsAbsent)
            {
                Touch(table.FromVirtual(access.Tensor.Address), access, operation, time);
            }
        }
    }

    /// <summary>Writes the ranges into the table.</summary>
    public void Complete()
    {
        foreach (PlannedTensor tensor in table.Tensors)
        {
            tensor.LiveRanges = _ranges.TryGetValue(tensor, out List<LiveRange>? ranges) ? ranges : [];
        }
    }

    private void Touch(PlannedTensor tensor, in Access access, string operation, int time)
    {
        Tensor view = tensor.View;
        if (access.Tensor.Address + (nint)access.Tensor.Bytes > view.Address + (nint)view.Bytes)
        {
            throw new InvalidOperationException($"operation {time} ({operation}) leaves tensor {tensor}: {access.Tensor}");
        }

        if (tensor.IsPersistent)
        {
            return;
        }

        if (!_ranges.TryGetValue(tensor, out List<LiveRange>? ranges))
        {
            _ranges[tensor] = ranges = [];
        }

        bool overwrites = access.Kind == AccessKind.Write && access.Tensor.Bytes == view.Bytes;
        if (overwrites || (access.Kind == AccessKind.Write && ranges.Count == 0))
        {
            // An operation that also reads the tensor (in place) has extended the range to this time already.
            if (ranges.Count == 0 || ranges[^1].Last < time)
            {
                ranges.Add(new LiveRange(time, time));
            }
        }
        else if (ranges.Count == 0)
        {
            throw new InvalidOperationException($"operation {time} ({operation}) reads tensor {tensor} before anything wrote it");
        }
        else
        {
            ranges[^1] = ranges[^1] with { Last = time };
        }
    }
}
