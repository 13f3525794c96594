using System.Numerics;

namespace QApollo.Data.Tokenizers.Models;

/// <summary>The merges: from two neighbouring symbols to the rank of their merge and the symbol it makes.</summary>
internal sealed class PairTable
{
    /// <summary>The answer for two symbols that do not merge; above every rank.</summary>
    public const ulong None = ulong.MaxValue;

    private const ulong Empty = ulong.MaxValue;

    private readonly Slot[] _slots;
    private readonly int _shift;

    private record struct Slot(ulong Pair, ulong Merge);

    /// <param name="capacity">The most merges that will be added.</param>
    public PairTable(int capacity)
    {
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, checked(capacity * 2)));
        _slots = new Slot[size];
        Array.Fill(_slots, new Slot(Empty, None));
        _shift = 64 - BitOperations.Log2((uint)size);
    }

    /// <summary>A later merge of the same two symbols replaces the earlier one.</summary>
    public void Add(int left, int right, int rank, int merged)
    {
        ulong pair = Pair(left, right);
        int at = Start(pair);
        while (_slots[at].Pair != Empty && _slots[at].Pair != pair)
        {
            at = (at + 1) & (_slots.Length - 1);
        }

        _slots[at] = new Slot(pair, ((ulong)(uint)rank << 32) | (uint)merged);
    }

    /// <summary>The rank in the upper half and the merged symbol in the lower; <see cref="None"/> without a merge.</summary>
    public ulong Find(int left, int right)
    {
        ulong pair = Pair(left, right);
        for (int at = Start(pair); ; at = (at + 1) & (_slots.Length - 1))
        {
            ref readonly Slot slot = ref _slots[at];
            if (slot.Pair == pair)
            {
                return slot.Merge;
            }

            if (slot.Pair == Empty)
            {
                return None;
            }
        }
    }

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    // Fibonacci hashing (Knuth, TAOCP 3, 6.4).
    private int Start(ulong pair) => (int)(((pair ^ (pair >> 29)) * 0x9E3779B97F4A7C15) >> _shift);
}
