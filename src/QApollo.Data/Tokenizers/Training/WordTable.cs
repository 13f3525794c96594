using System.Buffers.Binary;

namespace QApollo.Data.Tokenizers.Training;

/// <summary>How often each word occurs.</summary>
internal sealed class WordTable
{
    private const int Free = -1;

    private byte[] _bytes = new byte[1 << 16];
    private Entry[] _entries = new Entry[1 << 12];
    private int[] _slots = NewSlots(1 << 13);
    private int _bytesUsed;

    private record struct Entry(int Start, int Length, uint Hash, long Count);

    public int Count { get; private set; }

    /// <summary>Bytes of all words.</summary>
    public int TextBytes => _bytesUsed;

    public ReadOnlySpan<byte> Word(int index) => _bytes.AsSpan(_entries[index].Start, _entries[index].Length);

    public long Occurrences(int index) => _entries[index].Count;

    public void Clear()
    {
        (Count, _bytesUsed) = (0, 0);
        Array.Fill(_slots, Free);
    }

    public void Add(ReadOnlySpan<byte> word, long count) => Add(word, Hash(word), count);

    public void AddAll(WordTable other)
    {
        for (int i = 0; i < other.Count; i++)
        {
            Add(other.Word(i), other._entries[i].Hash, other._entries[i].Count);
        }
    }

    /// <summary>
    /// Forgets rare words until at most <paramref name="limit"/> are left: all those that occur less often than the
    /// smallest number that reaches it, so that what is left does not depend on the order of the words.
    /// </summary>
    public void Prune(int limit)
    {
        long[] counts = new long[Count];
        for (int i = 0; i < Count; i++)
        {
            counts[i] = _entries[i].Count;
        }

        Array.Sort(counts);
        long least = counts.Length > limit ? counts[^(limit + 1)] + 1 : 0;
        (byte[] bytes, Entry[] entries, int count) = (_bytes, _entries, Count);
        _bytes = new byte[1 << 16];
        _entries = new Entry[1 << 12];
        _slots = NewSlots(1 << 13);
        (Count, _bytesUsed) = (0, 0);
        for (int i = 0; i < count; i++)
        {
            if (entries[i].Count >= least)
            {
                Add(bytes.AsSpan(entries[i].Start, entries[i].Length), entries[i].Hash, entries[i].Count);
            }
        }
    }

    private void Add(ReadOnlySpan<byte> word, uint hash, long count)
    {
        int mask = _slots.Length - 1;
        int at = (int)hash & mask;
        for (; _slots[at] != Free; at = (at + 1) & mask)
        {
            ref Entry entry = ref _entries[_slots[at]];
            if (entry.Hash == hash && Word(_slots[at]).SequenceEqual(word))
            {
                entry.Count += count;
                return;
            }
        }

        _slots[at] = Count;
        Append(word, hash, count);
        if (Count * 2 > _slots.Length)
        {
            GrowSlots();
        }
    }

    private void Append(ReadOnlySpan<byte> word, uint hash, long count)
    {
        if (Count == _entries.Length)
        {
            Array.Resize(ref _entries, Count * 2);
        }

        int end = checked(_bytesUsed + word.Length);
        if (end > _bytes.Length)
        {
            Array.Resize(ref _bytes, (int)Math.Min(Array.MaxLength, Math.Max((uint)end, (uint)_bytes.Length * 2)));
        }

        word.CopyTo(_bytes.AsSpan(_bytesUsed));
        _entries[Count++] = new Entry(_bytesUsed, word.Length, hash, count);
        _bytesUsed = end;
    }

    private void GrowSlots()
    {
        _slots = NewSlots(_slots.Length * 2);
        int mask = _slots.Length - 1;
        for (int i = 0; i < Count; i++)
        {
            int at = (int)_entries[i].Hash & mask;
            while (_slots[at] != Free)
            {
                at = (at + 1) & mask;
            }

            _slots[at] = i;
        }
    }

    private static int[] NewSlots(int size)
    {
        var slots = new int[size];
        Array.Fill(slots, Free);
        return slots;
    }

    private static uint Hash(ReadOnlySpan<byte> word)
    {
        const ulong Factor = 0x9E3779B97F4A7C15;
        ulong hash = (ulong)word.Length * Factor;
        for (; word.Length >= 8; word = word[8..])
        {
            hash = (hash ^ BinaryPrimitives.ReadUInt64LittleEndian(word)) * Factor;
            hash ^= hash >> 32;
        }

        ulong rest = 0;
        foreach (byte value in word)
        {
            rest = (rest << 8) | value;
        }

        hash = (hash ^ rest) * Factor;
        return (uint)(hash >> 32);
    }
}
