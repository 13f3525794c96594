using QApollo.Devices;

namespace QApollo.Memory;

/// <summary>Bytes per category over the operations of a step, in one memory space.</summary>
public sealed class MemoryUsage
{
    private readonly long[][] _timeline;

    private MemoryUsage(long[][] timeline, long arenaBytes)
    {
        _timeline = timeline;
        int operations = timeline.Length == 0 ? 0 : timeline[0].Length;
        for (int time = 0; time < operations; time++)
        {
            long live = TotalAt(time);
            if (live > PeakBytes)
            {
                (PeakBytes, PeakOperation) = (live, time);
            }
        }

        PackingBytes = arenaBytes - PeakBytes;
    }

    /// <summary>Bytes that live at the peak.</summary>
    public long PeakBytes { get; }

    /// <summary>Number of the operation at the peak.</summary>
    public int PeakOperation { get; }

    /// <summary>Bytes of the arena beyond the peak: alignment, and gaps that the packing could not avoid.</summary>
    public long PackingBytes { get; }

    /// <summary>Live bytes of a category at an operation.</summary>
    public long At(TensorCategory category, int operation) => _timeline[(int)category].Length == 0 ? 0 : _timeline[(int)category][operation];

    /// <summary>Live bytes of a category when the whole is at its peak.</summary>
    public long AtPeak(TensorCategory category) => At(category, PeakOperation);

    /// <summary>Live bytes of all categories at an operation.</summary>
    public long TotalAt(int operation)
    {
        long total = 0;
        foreach (long[] category in _timeline)
        {
            total += category[operation];
        }

        return total;
    }

    /// <param name="rangesOf">When a transient tensor lives.</param>
    internal static MemoryUsage Of(
        TensorTable table, MemorySpace space, int operations, long arenaBytes, Func<PlannedTensor, IReadOnlyList<LiveRange>> rangesOf)
    {
        operations = table.Tensors.Any(tensor => tensor.Space == space) ? operations : 0;
        var timeline = new long[TensorCategories.All.Count][];
        for (int category = 0; category < timeline.Length; category++)
        {
            timeline[category] = new long[operations];
        }

        foreach (PlannedTensor tensor in table.Tensors)
        {
            if (tensor.Space == space)
            {
                AddTo(timeline[(int)tensor.Category], tensor, rangesOf(tensor), operations);
            }
        }

        foreach (long[] changes in timeline)
        {
            for (int time = 1; time < operations; time++)
            {
                changes[time] += changes[time - 1];
            }
        }

        return new MemoryUsage(timeline, arenaBytes);
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
