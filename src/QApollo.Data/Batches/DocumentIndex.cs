namespace QApollo.Data;

/// <summary>
/// Finds the n-th document of a dataset without a list of all of them: documents are counted per block of tokens, and a
/// lookup scans one block. Eight bytes per block of 65,536 tokens; one pass over the data to build, on all cores.
/// </summary>
internal sealed class DocumentIndex
{
    private const int BlockTokens = 1 << 16;

    private readonly TokenDataset _data;
    private readonly int _endOfDocument;
    private readonly long[] _documentsBefore;
    private readonly int[] _block = new int[BlockTokens];
    private long _loadedBlock = -1;

    public DocumentIndex(TokenDataset data, int endOfDocument)
    {
        _data = data;
        _endOfDocument = endOfDocument;
        long blocks = (data.Count + BlockTokens - 1) / BlockTokens;
        _documentsBefore = new long[blocks + 1];
        Parallel.For(
            0L,
            blocks,
            () => new int[BlockTokens],
            (block, _, buffer) =>
            {
                Span<int> ids = Load(block, buffer);
                int documents = 0;
                for (int position = NextStart(block, ids, 0); position >= 0; position = NextStart(block, ids, position + 1))
                {
                    documents++;
                }

                _documentsBefore[block + 1] = documents;
                return buffer;
            },
            _ => { });

        for (long block = 0; block < blocks; block++)
        {
            _documentsBefore[block + 1] += _documentsBefore[block];
        }
    }

    /// <summary>Documents that have at least one token besides their end.</summary>
    public long Count => _documentsBefore[^1];

    /// <summary>Where document <paramref name="document"/> (0 .. <see cref="Count"/> - 1) begins. Not for several threads.</summary>
    public long Start(long document)
    {
        long block = BlockOf(document);
        Span<int> ids = block == _loadedBlock ? _block.AsSpan(0, LengthOf(block)) : Load(block, _block);
        _loadedBlock = block;
        int position = -1;
        for (long seen = _documentsBefore[block]; seen <= document; seen++)
        {
            position = NextStart(block, ids, position + 1);
        }

        return (block * BlockTokens) + position;
    }

    /// <summary>The last block before which at most <paramref name="document"/> documents begin.</summary>
    private long BlockOf(long document)
    {
        long low = 0;
        long high = _documentsBefore.Length - 2;
        while (low < high)
        {
            long middle = (low + high + 1) / 2;
            if (_documentsBefore[middle] <= document)
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }

        return low;
    }

    private int LengthOf(long block) => (int)Math.Min(BlockTokens, _data.Count - (block * BlockTokens));

    private Span<int> Load(long block, int[] buffer)
    {
        Span<int> ids = buffer.AsSpan(0, LengthOf(block));
        _data.Read(block * BlockTokens, ids);
        return ids;
    }

    /// <summary>The first place at or after <paramref name="from"/> that holds a token and follows an end or the beginning; -1: none.</summary>
    private int NextStart(long block, ReadOnlySpan<int> ids, int from)
    {
        if (from == 0 && ids.Length > 0 && ids[0] != _endOfDocument)
        {
            int before = _endOfDocument;
            if (block > 0)
            {
                _data.Read((block * BlockTokens) - 1, new Span<int>(ref before));
            }

            if (before == _endOfDocument)
            {
                return 0;
            }
        }

        int search = Math.Max(0, from - 1);
        while (search < ids.Length)
        {
            int end = ids[search..].IndexOf(_endOfDocument);
            if (end < 0)
            {
                return -1;
            }

            search += end + 1;
            if (search < ids.Length && ids[search] != _endOfDocument)
            {
                return search;
            }
        }

        return -1;
    }
}
