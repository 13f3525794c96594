using QApollo.Devices;

namespace QApollo.Memory;

/// <summary>
/// Watches the rehearsal of a step and derives when each transient tensor lives: from a write that does not look at
/// what was there, to the last access before the next such write. A read of a tensor that nothing has written is
/// a fault of the step and is reported as one.
/// </summary>
public sealed class LivenessAnalysis : IOperationObserver
{
    private readonly Func<Tensor, int, PlannedTensor> _resolve;
    private readonly Dictionary<PlannedTensor, List<LiveRange>> _ranges = [];
    private readonly List<string> _operations = [];
    private readonly List<ProductShape> _products = [];
    private readonly HashSet<ProductShape> _knownProducts = [];

    /// <param name="resolve">The planned tensor that a view belongs to at an operation.</param>
    public LivenessAnalysis(Func<Tensor, int, PlannedTensor> resolve) => _resolve = resolve;

    /// <summary>Names of the operations, in order; a live range indexes them.</summary>
    public IReadOnlyList<string> Operations => _operations;

    /// <summary>The different matrix products, in the order of their first one.</summary>
    public IReadOnlyList<ProductShape> Products => _products;

    public void OnProduct(in ProductShape product)
    {
        if (_knownProducts.Add(product))
        {
            _products.Add(product);
        }
    }

    public void OnOperation(string operation, ReadOnlySpan<Access> accesses)
    {
        int time = _operations.Count;
        _operations.Add(operation);
        foreach (Access access in accesses)
        {
            if (!access.Tensor.IsAbsent)
            {
                Touch(_resolve(access.Tensor, time), access, operation, time);
            }
        }
    }

    /// <summary>When a tensor lived, in ascending order; empty for a persistent one.</summary>
    public IReadOnlyList<LiveRange> RangesOf(PlannedTensor tensor) => _ranges.TryGetValue(tensor, out List<LiveRange>? ranges) ? ranges : [];

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
