namespace QApollo.Data;

/// <summary>Token shards in a row.</summary>
internal sealed class ShardedTokens : TokenDataset
{
    private readonly List<TokenShard> _shards = [];
    private readonly long[] _starts;

    /// <summary>Opens the files; nothing stays open when one of them fails.</summary>
    /// <exception cref="RunFailedException">A file cannot be read, or is no whole token shard.</exception>
    public ShardedTokens(IReadOnlyList<string> paths)
    {
        try
        {
            _starts = new long[paths.Count + 1];
            for (int i = 0; i < paths.Count; i++)
            {
                _shards.Add(new TokenShard(paths[i]));
                _starts[i + 1] = _starts[i] + _shards[i].Count;
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public IReadOnlyList<TokenShard> Shards => _shards;

    public long FileBytes => _shards.Sum(shard => shard.FileBytes);

    public override long Count => _starts[^1];

    protected override void ReadCore(long start, Span<int> ids)
    {
        int found = Array.BinarySearch(_starts, start);
        int shard = found >= 0 ? found : ~found - 1;
        while (!ids.IsEmpty)
        {
            int offset = (int)(start - _starts[shard]);
            int count = Math.Min(ids.Length, _shards[shard].Count - offset);
            _shards[shard].Read(offset, ids[..count]);
            ids = ids[count..];
            start += count;
            shard++;
        }
    }

    protected override void Dispose(bool disposing)
    {
        foreach (TokenShard shard in _shards)
        {
            shard.Dispose();
        }

        base.Dispose(disposing);
    }
}
