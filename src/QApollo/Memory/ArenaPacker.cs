using QApollo.Devices;

namespace QApollo.Memory;

/// <summary>
/// Lays tensors out in one arena: persistent ones one after the other, then the transient ones, which share memory
/// where their lives do not overlap. Greedy by size (Pisarchyk and Lee, arXiv 2001.03288, "greedy by size for offset
/// calculation"): the largest first, each at the lowest offset that no overlapping neighbour occupies.
/// </summary>
public static class ArenaPacker
{
    /// <summary>Sets the offsets of all tensors of a space and returns the arena's size in bytes.</summary>
    public static long Pack(IReadOnlyList<PlannedTensor> tensors, MemorySpace space, int alignment)
    {
        long persistentEnd = 0;
        var transient = new List<Packed>();
        foreach (PlannedTensor tensor in tensors)
        {
            if (tensor.Space != space)
            {
                continue;
            }

            if (tensor.IsPersistent)
            {
                tensor.Offset = persistentEnd;
                persistentEnd = checked(persistentEnd + TensorTable.Align(tensor.Bytes, alignment));
            }
            else if (tensor.LiveRanges.Count > 0)
            {
                transient.Add(new Packed(tensor, [.. tensor.LiveRanges]));
            }
        }

        return PackTransient(transient, persistentEnd, alignment);
    }

    private static long PackTransient(List<Packed> transient, long start, int alignment)
    {
        long end = start;
        var placed = new List<Packed>();
        foreach (Packed packed in transient.OrderByDescending(packed => packed.Tensor.Bytes))
        {
            PlannedTensor tensor = packed.Tensor;
            long offset = start;
            foreach ((PlannedTensor neighbour, LiveRange[] ranges) in placed)
            {
                if (offset + tensor.Bytes <= neighbour.Offset)
                {
                    break;
                }

                // A neighbour that ends below is in nobody's way, whenever it lives.
                long neighbourEnd = neighbour.Offset + TensorTable.Align(neighbour.Bytes, alignment);
                if (neighbourEnd > offset && Overlap(packed.Ranges, ranges))
                {
                    offset = neighbourEnd;
                }
            }

            tensor.Offset = offset;
            int position = placed.FindIndex(other => other.Tensor.Offset > offset);
            placed.Insert(position < 0 ? placed.Count : position, packed);
            end = Math.Max(end, checked(offset + TensorTable.Align(tensor.Bytes, alignment)));
        }

        return end;
    }

    /// <summary>Whether two ascending lists of ranges share an operation.</summary>
    private static bool Overlap(LiveRange[] a, LiveRange[] b)
    {
        for (int i = 0, j = 0; i < a.Length && j < b.Length;)
        {
            if (a[i].Last < b[j].First)
            {
                i = FirstThatReaches(a, i + 1, b[j].First);
            }
            else if (b[j].Last < a[i].First)
            {
                j = FirstThatReaches(b, j + 1, a[i].First);
            }
            else
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// The first range from an index on that does not end before an operation; as many as there are for none. Looks ahead in growing
    /// steps: a buffer through which initial weights pass has thousands of ranges before those of others begin.
    /// </summary>
    private static int FirstThatReaches(LiveRange[] ranges, int from, int operation)
    {
        int step = 1;
        while (from + step <= ranges.Length && ranges[from + step - 1].Last < operation)
        {
            from += step;
            step *= 2;
        }

        int end = Math.Min(from + step - 1, ranges.Length);
        while (from < end)
        {
            int middle = (from + end) / 2;
            (from, end) = ranges[middle].Last < operation ? (middle + 1, end) : (from, middle);
        }

        return from;
    }

    private readonly record struct Packed(PlannedTensor Tensor, LiveRange[] Ranges);
}
