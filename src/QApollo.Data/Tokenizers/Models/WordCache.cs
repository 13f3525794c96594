using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace QApollo.Data.Tokenizers.Models;

/// <summary>The ids of recent words: up to 15 bytes and 4 ids each, one word per slot, the latest stays.</summary>
internal sealed class WordCache
{
    public const int MaxBytes = 15;

    private const int SlotBits = 16;
    private const int None = -1;

    private readonly Slot[] _slots = new Slot[1 << SlotBits];

    /// <summary>The bytes, with their count in the last; the ids, with <see cref="None"/> after the last.</summary>
    private struct Slot
    {
        public ulong Low;
        public ulong High;
        public int Id0;
        public int Id1;
        public int Id2;
        public int Id3;
    }

    /// <summary>Adds the ids of a word of 1 to <see cref="MaxBytes"/> bytes to the state, if they are here.</summary>
    public bool TryAdd(ReadOnlySpan<byte> word, EncodeState state)
    {
        (ulong low, ulong high) = Key(word);
        ref readonly Slot slot = ref _slots[Index(low, high)];
        if (slot.Low != low || slot.High != high)
        {
            return false;
        }

        state.Add(slot.Id0);
        if (slot.Id1 >= 0)
        {
            state.Add(slot.Id1);
            if (slot.Id2 >= 0)
            {
                state.Add(slot.Id2);
                if (slot.Id3 >= 0)
                {
                    state.Add(slot.Id3);
                }
            }
        }

        return true;
    }

    /// <summary>Remembers the ids of a word, unless they are none or more than 4.</summary>
    public void Put(ReadOnlySpan<byte> word, ReadOnlySpan<int> ids)
    {
        if (ids.Length is 0 or > 4)
        {
            return;
        }

        (ulong low, ulong high) = Key(word);
        _slots[Index(low, high)] = new Slot
        {
            Low = low,
            High = high,
            Id0 = ids[0],
            Id1 = ids.Length > 1 ? ids[1] : None,
            Id2 = ids.Length > 2 ? ids[2] : None,
            Id3 = ids.Length > 3 ? ids[3] : None,
        };
    }

    private static int Index(ulong low, ulong high) =>
        (int)(((low * 0x9E3779B97F4A7C15) ^ (high * 0xC2B2AE3D27D4EB4F)) >> (64 - SlotBits));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (ulong Low, ulong High) Key(ReadOnlySpan<byte> word)
    {
        ulong low;
        ulong high = (ulong)word.Length << 56;
        if (word.Length >= 8)
        {
            low = BinaryPrimitives.ReadUInt64LittleEndian(word);
            if (word.Length > 8)
            {
                high |= BinaryPrimitives.ReadUInt64LittleEndian(word[^8..]) >> (8 * (16 - word.Length));
            }
        }
        else if (word.Length >= 4)
        {
            low = BinaryPrimitives.ReadUInt32LittleEndian(word)
                | ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(word[^4..]) << (8 * (word.Length - 4)));
        }
        else
        {
            low = word[0] | ((ulong)word[word.Length / 2] << 8) | ((ulong)word[^1] << 16);
        }

        return (low, high);
    }
}
