using QApollo.Devices;
using QApollo.Memory;
using Xunit;

namespace QApollo.Tests.Memory;

/// <summary>Packing and memory use against the plain way: every pair of tensors, every operation.</summary>
public class ArenaPackerTests
{
    private const int Operations = 4000, Alignment = 64;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Tensors_that_live_at_once_share_no_byte_and_use_is_counted_at_every_operation(int seed)
    {
        var random = new Random(seed);
        TensorTable table = RandomTable(random);
        long arena = ArenaPacker.Pack(table.Tensors, MemorySpace.Device, Alignment);
        PlannedTensor[] tensors = [.. table.Tensors];
        for (int i = 0; i < tensors.Length; i++)
        {
            Assert.InRange(tensors[i].Offset + tensors[i].Bytes, 1, arena);
            for (int j = 0; j < i; j++)
            {
                bool isApart = tensors[i].Offset + tensors[i].Bytes <= tensors[j].Offset || tensors[j].Offset + tensors[j].Bytes <= tensors[i].Offset;
                Assert.True(isApart || !LiveTogether(tensors[i], tensors[j]), $"{tensors[i]} and {tensors[j]}");
            }
        }

        MemoryUsage usage = MemoryUsage.Of(table, MemorySpace.Device, Operations, arena, tensor => tensor.LiveRanges);
        long peak = 0;
        int at = 0;
        for (int operation = 0; operation < Operations; operation++)
        {
            long total = tensors.Where(tensor => tensor.LivesAt(operation)).Sum(tensor => tensor.Bytes);
            long activations = tensors.Where(tensor => tensor.Category == TensorCategory.Activations && tensor.LivesAt(operation)).Sum(tensor => tensor.Bytes);
            Assert.Equal((total, activations), (usage.TotalAt(operation), usage.At(TensorCategory.Activations, operation)));
            (peak, at) = total > peak ? (total, operation) : (peak, at);
        }

        Assert.Equal((peak, at, arena - peak), (usage.PeakBytes, usage.PeakOperation, usage.PackingBytes));
    }

    /// <summary>Few and many ranges, early and late, persistent ones, and one with a range at every third operation.</summary>
    private static TensorTable RandomTable(Random random)
    {
        var table = new TensorTable();
        for (int i = 0; i < 60; i++)
        {
            var category = (TensorCategory)random.Next(TensorCategories.All.Count);
            int bytes = 1 + random.Next(3000);
            if (i % 10 == 0)
            {
                table.Persistent($"{i}", DType.U8, 1, bytes, category);
                continue;
            }

            PlannedTensor tensor = table.Transient($"{i}", DType.U8, 1, bytes, category);
            tensor.LiveRanges = i % 10 == 1 ? [.. Enumerable.Range(0, Operations / 3).Select(n => new LiveRange(3 * n, (3 * n) + 1))] : Ranges(random);
        }

        return table;
    }

    private static LiveRange[] Ranges(Random random)
    {
        List<LiveRange> ranges = [];
        int longest = 1 << random.Next(1, 11);
        for (int first = random.Next(Operations - 1); first < Operations && ranges.Count < 50;)
        {
            int last = Math.Min(Operations - 1, first + random.Next(longest));
            ranges.Add(new LiveRange(first, last));
            first = last + 1 + random.Next(longest);
        }

        return [.. ranges];
    }

    private static bool LiveTogether(PlannedTensor a, PlannedTensor b) =>
        a.IsPersistent || b.IsPersistent || a.LiveRanges.Any(x => b.LiveRanges.Any(y => x.First <= y.Last && y.First <= x.Last));
}
