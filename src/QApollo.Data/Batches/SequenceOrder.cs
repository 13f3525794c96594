using System.Numerics;
using QApollo.Quantization;

namespace QApollo.Data;

/// <summary>
/// The order of one epoch: a pseudo-random permutation of 0 .. count - 1 that is computed, not stored. A Feistel network
/// (Luby and Rackoff, 1988) with Philox as its round function permutes the next power of four; results outside the range
/// are permuted again until they fall inside (cycle walking: Black and Rogaway, 2002), fewer than four times on average.
/// </summary>
public readonly struct SequenceOrder
{
    /// <summary>Four rounds suffice for a wide block; small datasets have narrow ones, which need more.</summary>
    private const int Rounds = 8;

    private readonly ulong _seed;
    private readonly uint _epoch;
    private readonly int _halfBits;

    /// <param name="count">Items to permute, 1 .. 2^62.</param>
    public SequenceOrder(ulong seed, int epoch, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, 1L << 62);
        _seed = seed;
        _epoch = (uint)epoch;
        Count = count;
        int bits = 64 - BitOperations.LeadingZeroCount((ulong)count - 1);
        _halfBits = Math.Max(1, (bits + 1) / 2);
    }

    public long Count { get; }

    /// <summary>The item visited at place <paramref name="index"/> of the epoch.</summary>
    public long this[long index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            ulong item = (ulong)index;
            do
            {
                item = Permute(item);
            }
            while (item >= (ulong)Count);
            return (long)item;
        }
    }

    private ulong Permute(ulong value)
    {
        uint mask = (uint)((1UL << _halfBits) - 1);
        uint left = (uint)(value >> _halfBits);
        uint right = (uint)value & mask;
        for (uint round = 0; round < Rounds; round++)
        {
            uint mixed = Philox.Block(new RandomStream(_seed, RandomPurpose.Shuffle, round, _epoch), right).X0;
            (left, right) = (right, left ^ (mixed & mask));
        }

        return ((ulong)left << _halfBits) | right;
    }
}
