namespace QApollo.Data.Tokenizers.Training;

/// <summary>The words as tokens, and how often and where each pair of neighbours occurs. Merges change only what they touch.</summary>
internal sealed class MergeState
{
    private readonly int[] _symbols;
    private readonly int[] _starts;
    private readonly int[] _lengths;
    private readonly long[] _counts;
    private readonly Dictionary<ulong, Pair> _pairs = [];
    private readonly HashSet<ulong> _grown = [];

    /// <summary>Words may be listed twice, or no longer hold the pair.</summary>
    private sealed class Pair
    {
        public long Count { get; set; }

        public List<int> Words { get; } = [];
    }

    public MergeState(WordTable words, int[] idOfByte)
    {
        _symbols = new int[words.TextBytes];
        _starts = new int[words.Count];
        _lengths = new int[words.Count];
        _counts = new long[words.Count];
        TextBytes = words.TextBytes;
        int end = 0;
        for (int word = 0; word < words.Count; word++)
        {
            _starts[word] = end;
            _lengths[word] = words.Word(word).Length;
            _counts[word] = words.Occurrences(word);
            foreach (byte value in words.Word(word))
            {
                _symbols[end++] = idOfByte[value];
            }

            Span<int> symbols = Symbols(word);
            for (int i = 0; i + 1 < symbols.Length; i++)
            {
                Change(symbols[i], symbols[i + 1], word, _counts[word]);
            }
        }

        _grown.Clear();
    }

    public int Words => _starts.Length;

    /// <summary>Bytes of all distinct words.</summary>
    public long TextBytes { get; }

    public IEnumerable<(ulong Pair, long Count)> Counts() => _pairs.Select(entry => (entry.Key, entry.Value.Count));

    public long Count(ulong pair) => _pairs.TryGetValue(pair, out Pair? found) ? found.Count : 0;

    /// <summary>Replaces the pair by a token in all words, left to right; the pairs that now occur more often.</summary>
    public IReadOnlyCollection<ulong> Merge(ulong pair, int token)
    {
        _grown.Clear();
        if (_pairs.Remove(pair, out Pair? merged))
        {
            foreach (int word in merged.Words)
            {
                Merge(word, (int)(pair >> 32), (int)(uint)pair, token);
            }
        }

        return _grown;
    }

    private void Merge(int word, int left, int right, int token)
    {
        Span<int> symbols = Symbols(word);
        long count = _counts[word];
        int kept = 0;
        for (int i = 0; i < symbols.Length; i++)
        {
            if (i + 1 == symbols.Length || symbols[i] != left || symbols[i + 1] != right)
            {
                symbols[kept++] = symbols[i];
                continue;
            }

            if (kept > 0)
            {
                Change(symbols[kept - 1], left, word, -count);
                Change(symbols[kept - 1], token, word, count);
            }

            if (i + 2 < symbols.Length)
            {
                Change(right, symbols[i + 2], word, -count);
                Change(token, symbols[i + 2], word, count);
            }

            symbols[kept++] = token;
            i++;
        }

        _lengths[word] = kept;
    }

    private void Change(int left, int right, int word, long count)
    {
        ulong key = ((ulong)(uint)left << 32) | (uint)right;
        if (count < 0)
        {
            if (_pairs.TryGetValue(key, out Pair? known))
            {
                known.Count += count;
            }

            return;
        }

        if (!_pairs.TryGetValue(key, out Pair? pair))
        {
            _pairs[key] = pair = new Pair();
        }

        pair.Count += count;
        if (pair.Words.Count == 0 || pair.Words[^1] != word)
        {
            pair.Words.Add(word);
        }

        _grown.Add(key);
    }

    private Span<int> Symbols(int word) => _symbols.AsSpan(_starts[word], _lengths[word]);
}
