using System.Runtime.InteropServices;
using System.Text;

namespace QApollo.Collectives;

/// <summary>Small values of the host that all ranks learn of each other.</summary>
public static class Collective
{
    /// <summary>Replaces each value by its sum over the ranks, added in the order of the ranks: the same bits on all of them.</summary>
    public static void SumInOrder(this ICommunicator ranks, Span<double> values)
    {
        if (ranks.Size == 1)
        {
            return;
        }

        Span<double> all = stackalloc double[ranks.Size * values.Length];
        ranks.AllGather(MemoryMarshal.AsBytes(values), MemoryMarshal.AsBytes(all));
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = all[i];
            for (int rank = 1; rank < ranks.Size; rank++)
            {
                values[i] += all[(rank * values.Length) + i];
            }
        }
    }

    /// <summary>Whether it is true on any rank.</summary>
    public static bool Any(this ICommunicator ranks, bool value) => ranks.Max(value ? 1 : 0) != 0;

    /// <summary>The largest of all ranks' values.</summary>
    public static int Max(this ICommunicator ranks, int value)
    {
        Span<int> all = stackalloc int[ranks.Size];
        ranks.AllGather(MemoryMarshal.AsBytes(new ReadOnlySpan<int>(ref value)), MemoryMarshal.AsBytes(all));
        foreach (int other in all)
        {
            value = Math.Max(value, other);
        }

        return value;
    }

    /// <summary>The texts of all ranks, in their order.</summary>
    public static string[] GatherTexts(this ICommunicator ranks, string text)
    {
        byte[] own = Encoding.UTF8.GetBytes(text);
        int longest = ranks.Max(own.Length);
        var lengths = new int[ranks.Size];
        int length = own.Length;
        ranks.AllGather(MemoryMarshal.AsBytes(new ReadOnlySpan<int>(ref length)), MemoryMarshal.AsBytes(lengths.AsSpan()));
        Array.Resize(ref own, longest);
        var all = new byte[longest * ranks.Size];
        if (longest > 0)
        {
            ranks.AllGather(own, all);
        }

        return [.. lengths.Select((bytes, rank) => Encoding.UTF8.GetString(all, rank * longest, bytes))];
    }

    /// <summary>Rank 0's text.</summary>
    public static string Broadcast(this ICommunicator ranks, string text) => ranks.GatherTexts(ranks.Rank == 0 ? text : string.Empty)[0];
}
