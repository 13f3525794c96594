using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Models;

/// <summary>Byte strings by id and ids by byte string. Built once, then read by many threads.</summary>
internal sealed class TokenTable
{
    /// <summary>A larger id, in a file that claims one, would make tables that no real vocabulary needs.</summary>
    public const int MaxId = (1 << 22) - 1;

    private const int Absent = -1;

    private readonly Dictionary<int, int> _starts;
    private readonly ByteBuffer _bytes = new();
    private readonly List<Entry> _entries = [];
    private int[] _byHash;

    private readonly record struct Entry(int Start, int Length, int Id, int Next);

    public TokenTable(int capacity)
    {
        _starts = new Dictionary<int, int>(capacity);
        _byHash = new int[Math.Max(16, capacity)];
        Array.Fill(_byHash, Absent);
    }

    /// <summary>The largest id and one more.</summary>
    public int IdsEnd { get; private set; }

    /// <summary>Gives the text that id. A text that is already here gets the new id.</summary>
    public void Set(ReadOnlySpan<byte> text, int id)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(id);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(id, MaxId);
        int start = _bytes.Length;
        _bytes.Add(text);
        _starts[id] = _entries.Count;
        if (_entries.Count == _byHash.Length)
        {
            Rehash();
        }

        ref int head = ref _byHash[Bucket(text)];
        _entries.Add(new Entry(start, text.Length, id, head));
        head = _entries.Count - 1;
        IdsEnd = Math.Max(IdsEnd, id + 1);
    }

    /// <summary>The id of a text, -1 without one.</summary>
    public int Find(ReadOnlySpan<byte> text)
    {
        for (int at = _byHash[Bucket(text)]; at != Absent; at = _entries[at].Next)
        {
            Entry entry = _entries[at];
            if (Text(entry).SequenceEqual(text))
            {
                return entry.Id;
            }
        }

        return -1;
    }

    /// <summary>The text of an id; false for an id that nothing has.</summary>
    public bool TryText(int id, out ReadOnlySpan<byte> text)
    {
        bool found = _starts.TryGetValue(id, out int entry);
        text = found ? Text(_entries[entry]) : default;
        return found;
    }

    private ReadOnlySpan<byte> Text(Entry entry) => _bytes.Written.Slice(entry.Start, entry.Length);

    private int Bucket(ReadOnlySpan<byte> text)
    {
        var hash = default(HashCode);
        hash.AddBytes(text);
        return (int)((uint)hash.ToHashCode() % (uint)_byHash.Length);
    }

    private void Rehash()
    {
        _byHash = new int[_byHash.Length * 2];
        Array.Fill(_byHash, Absent);
        for (int i = 0; i < _entries.Count; i++)
        {
            ref int head = ref _byHash[Bucket(Text(_entries[i]))];
            _entries[i] = _entries[i] with { Next = head };
            head = i;
        }
    }
}
