using System.Buffers;
using System.Security.Cryptography;

namespace QApollo.Data.Tokenizers;

/// <summary>Every byte is a token: ids 0 .. 255 are the bytes, 256 ends a document. Lossless for any bytes.</summary>
public sealed class ByteTokenizer : ITokenizer
{
    private const int Bytes = 256;

    public string Description => "bytes";

    public int VocabularySize => Bytes + 1;

    public int EndOfDocument => Bytes;

    public string Fingerprint { get; } = Convert.ToHexStringLower(SHA256.HashData("bytes"u8));

    public void Encode(ReadOnlySpan<byte> utf8, IBufferWriter<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        while (!utf8.IsEmpty)
        {
            Span<int> room = ids.GetSpan();
            int count = Math.Min(room.Length, utf8.Length);
            for (int i = 0; i < count; i++)
            {
                room[i] = utf8[i];
            }

            ids.Advance(count);
            utf8 = utf8[count..];
        }
    }

    /// <inheritdoc/>
    /// <remarks>The end of a document has no bytes.</remarks>
    public void Decode(ReadOnlySpan<int> ids, IBufferWriter<byte> utf8)
    {
        ArgumentNullException.ThrowIfNull(utf8);
        foreach (int id in ids)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(id, nameof(ids));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(id, Bytes, nameof(ids));
            if (id < Bytes)
            {
                utf8.GetSpan(1)[0] = (byte)id;
                utf8.Advance(1);
            }
        }
    }
}
