using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace QApollo.Data;

/// <summary>
/// Tells datasets apart by their tokens, wherever they come from: text, a prepared folder, or shards. Up to 2^26 tokens, all
/// count; of more, blocks at equal distances, which another text, another order, and anything put in or left out change.
/// </summary>
internal static class DataFingerprints
{
    private const int BlockTokens = 1 << 12;
    private const int MaxBlocks = 1 << 14;

    /// <returns>32 hexadecimal digits.</returns>
    /// <exception cref="RunFailedException">A shard cannot be read.</exception>
    public static string Of(TokenDataset data)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> count = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(count, data.Count);
        hash.AppendData(count);
        var ids = new int[BlockTokens];
        long blocks = (data.Count + BlockTokens - 1) / BlockTokens;
        long taken = Math.Min(blocks, MaxBlocks);
        for (long i = 0; i < taken; i++)
        {
            long start = i * blocks / taken * BlockTokens;
            Span<int> block = ids.AsSpan(0, (int)Math.Min(BlockTokens, data.Count - start));
            data.Read(start, block);
            hash.AppendData(MemoryMarshal.AsBytes(block));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }
}
