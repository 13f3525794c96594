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
        var transient = new List<PlannedTensor>();
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
                transient.Add(tensor);
            }
        }

        return PackTransient(transient, persistentEnd, alignment);
    }

    private static long PackTransient(List<PlannedTensor> transient, long start, int alignment)
    {
        long end = start;
        var placed = new List<PlannedTensor>();
        foreach (PlannedTensor tensor in transient.OrderByDescending(t => t.Bytes))
        {
            long offset = start;
            foreach (PlannedTensor neighbour in placed)
            {
                if (offset + tensor.Bytes <= neighbour.Offset)
                {
                    break;
                }

                if (Overlap(tensor.LiveRanges, neighbour.LiveRanges))
                {
                    offset = Math.Max(offset, neighbour.Offset + TensorTable.Align(neighbour.Bytes, alignment));
                }
            }

            tensor.Offset = offset;
            int position = placed.FindIndex(p => p.Offset > offset);
            placed.Insert(position < 0 ? placed.Count : position, tensor);
            end = Math.Max(end, checked(offset + TensorTable.Align(tensor.Bytes, alignment)));
        }

        return end;
    }

    /// <summary>Whether two ascending lists of ranges share an operation.</summary>
    private static bool Overlap(IReadOnlyList<LiveRange> a, IReadOnlyList<LiveRange> b)
    {
        for (int i = 0, j = 0; i < a.Count && j < b.Count;)
        {
            if (a[i].Last < b[j].First)
            {
                i++;
            }
            else if (b[j].Last < a[i].First)
            {
                j++;
            }
            else
            {
                return true;
            }
        }

        return false;
    }
}
