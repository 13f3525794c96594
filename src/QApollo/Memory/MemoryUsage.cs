using QApollo.Devices;

namespace QApollo.Memory;

/// <summary>Bytes per category over the operations of a step, in one memory space.</summary>
public sealed class MemoryUsage
{
    /// <summary>By category.</summary>
    private readonly BytesOverTime[] _timeline;
    private readonly BytesOverTime _total;

    private MemoryUsage(BytesOverTime[] timeline, BytesOverTime total, long arenaBytes)
    {
        (_timeline, _total) = (timeline, total);
        (PeakBytes, PeakOperation) = total.Peak();
        PackingBytes = arenaBytes - PeakBytes;
    }

    /// <summary>Bytes that live at the peak.</summary>
    public long PeakBytes { get; }

    /// <summary>Number of the operation at the peak.</summary>
    public int PeakOperation { get; }

    /// <summary>Bytes of the arena beyond the peak: alignment, and gaps that the packing could not avoid.</summary>
    public long PackingBytes { get; }

    /// <summary>Live bytes of a category at an operation.</summary>
    public long At(TensorCategory category, int operation) => _timeline[(int)category].At(operation);

    /// <summary>Live bytes of a category when the whole is at its peak.</summary>
    public long AtPeak(TensorCategory category) => At(category, PeakOperation);

    /// <summary>Live bytes of all categories at an operation.</summary>
    public long TotalAt(int operation) => _total.At(operation);

    /// <param name="rangesOf">When a transient tensor lives.</param>
    internal static MemoryUsage Of(
        TensorTable table, MemorySpace space, int operations, long arenaBytes, Func<PlannedTensor, IReadOnlyList<LiveRange>> rangesOf)
    {
        var timeline = new BytesOverTime[TensorCategories.All.Count];
        var changes = new long[operations];
        var total = new long[operations];
        foreach (TensorCategory category in TensorCategories.All)
        {
            Array.Clear(changes);
            foreach (PlannedTensor tensor in table.Tensors)
            {
                if (tensor.Space == space && tensor.Category == category)
                {
                    AddTo(changes, tensor, rangesOf(tensor), operations);
                }
            }

            timeline[(int)category] = new BytesOverTime(changes);
            timeline[(int)category].AddTo(total);
        }

        return new MemoryUsage(timeline, new BytesOverTime(total), arenaBytes);
    }

    /// <summary>Notes a tensor's bytes where its life starts and takes them off after its end.</summary>
    private static void AddTo(long[] changes, PlannedTensor tensor, IReadOnlyList<LiveRange> ranges, int operations)
    {
        if (tensor.IsPersistent)
        {
            changes[0] += tensor.Bytes;
            return;
        }

        foreach (LiveRange range in ranges)
        {
            changes[range.First] += tensor.Bytes;
            if (range.Last + 1 < operations)
            {
                changes[range.Last + 1] -= tensor.Bytes;
            }
        }
    }
}
