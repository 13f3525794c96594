namespace QApollo.Data.Tokenizers.Text;

/// <summary>Byte strings with a number each, to be walked byte by byte. Built once, then read by many threads.</summary>
internal sealed class ByteTrie
{
    public const int Root = 0;

    public const int None = -1;

    private const int MaxNodes = 1 << 24;

    private readonly int[] _fromRoot = new int[256];
    private readonly List<int> _values = [None];
    private uint[] _edges = new uint[64];
    private int[] _targets = new int[64];

    public ByteTrie() => Array.Fill(_fromRoot, None);

    public bool IsEmpty => _values.Count == 1;

    /// <summary>Gives a string its number, at least 0; an earlier number is replaced.</summary>
    /// <exception cref="UsageException">More than 16 million nodes: the vocabulary is too large.</exception>
    public void Add(ReadOnlySpan<byte> text, int value)
    {
        int node = Root;
        foreach (byte b in text)
        {
            int next = Step(node, b);
            node = next != None ? next : AddNode(node, b);
        }

        _values[node] = value;
    }

    /// <summary>The node one byte on; <see cref="None"/> when no string goes on so.</summary>
    public int Step(int node, byte value)
    {
        if (node == Root)
        {
            return _fromRoot[value];
        }

        uint edge = Edge(node, value);
        for (int at = Start(edge); ; at = (at + 1) & (_edges.Length - 1))
        {
            if (_edges[at] == edge)
            {
                return _targets[at];
            }

            if (_edges[at] == 0)
            {
                return None;
            }
        }
    }

    /// <summary>The number of the string that ends at a node, <see cref="None"/> when none does.</summary>
    public int Value(int node) => _values[node];

    /// <summary>The longest string that the text begins with: its length and number, (0, <see cref="None"/>) without one.</summary>
    public (int Length, int Value) LongestPrefix(ReadOnlySpan<byte> text)
    {
        (int Length, int Value) best = (0, None);
        int node = Root;
        for (int i = 0; i < text.Length; i++)
        {
            node = Step(node, text[i]);
            if (node == None)
            {
                break;
            }

            if (_values[node] != None)
            {
                best = (i + 1, _values[node]);
            }
        }

        return best;
    }

    /// <summary>The bytes that strings begin with.</summary>
    public byte[] FirstBytes() => [.. Enumerable.Range(0, 256).Where(b => _fromRoot[b] != None).Select(b => (byte)b)];

    private int AddNode(int node, byte value)
    {
        int added = _values.Count;
        if (added == MaxNodes)
        {
            throw new UsageException($"the tokenizer's vocabulary needs more than {MaxNodes} trie nodes");
        }

        _values.Add(None);
        if (node == Root)
        {
            _fromRoot[value] = added;
            return added;
        }

        if (added * 2 > _edges.Length)
        {
            Grow();
        }

        Insert(Edge(node, value), added);
        return added;
    }

    private void Grow()
    {
        (uint[] edges, int[] targets) = (_edges, _targets);
        _edges = new uint[edges.Length * 2];
        _targets = new int[edges.Length * 2];
        for (int i = 0; i < edges.Length; i++)
        {
            if (edges[i] != 0)
            {
                Insert(edges[i], targets[i]);
            }
        }
    }

    private void Insert(uint edge, int target)
    {
        int at = Start(edge);
        while (_edges[at] != 0)
        {
            at = (at + 1) & (_edges.Length - 1);
        }

        (_edges[at], _targets[at]) = (edge, target);
    }

    // Never 0: the edges of the root are elsewhere.
    private static uint Edge(int node, byte value) => ((uint)node << 8) | value;

    private int Start(uint edge) => (int)(((edge * 0x9E3779B97F4A7C15) >> 32) & (uint)(_edges.Length - 1));
}
