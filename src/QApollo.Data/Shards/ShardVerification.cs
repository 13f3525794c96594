namespace QApollo.Data;

/// <summary>Compares shards with the description beside them.</summary>
internal static class ShardVerification
{
    /// <exception cref="InvalidFileException">A shard has another number of tokens.</exception>
    public static void CheckCounts(IReadOnlyList<TokenShard> shards, DatasetManifest manifest)
    {
        for (int i = 0; i < shards.Count; i++)
        {
            if (shards[i].Count != manifest.Shards[i].Tokens)
            {
                throw new InvalidFileException(
                    shards[i].Path,
                    $"damaged: it has {shards[i].Count} tokens, {DatasetManifest.FileName} tells {manifest.Shards[i].Tokens}: delete the folder and prepare the data again");
            }
        }
    }

    /// <exception cref="InvalidFileException">A shard's bytes have changed.</exception>
    /// <exception cref="RunFailedException">A shard cannot be read.</exception>
    public static void CheckHashes(
        IReadOnlyList<TokenShard> shards, DatasetManifest manifest, int threads, ProgressReport report, CancellationToken cancellation)
    {
        string[] hashes = FileHash.Sha256([.. shards.Select(shard => shard.Path)], threads, report.Read, cancellation);
        for (int i = 0; i < shards.Count; i++)
        {
            if (!string.Equals(hashes[i], manifest.Shards[i].Sha256, StringComparison.OrdinalIgnoreCase))
            {
                throw new InvalidFileException(
                    shards[i].Path, "damaged: its checksum is not the one it was written with: delete the folder and prepare the data again");
            }
        }
    }
}
