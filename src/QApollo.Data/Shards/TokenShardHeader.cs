using System.Buffers.Binary;
using QApollo.Files;

namespace QApollo.Data;

/// <summary>
/// llm.c's token file: 256 little-endian int32 (magic, version, number of tokens, zeros), then the tokens as uint16 (magic
/// 20240520, version 1; its GPT-2 files) or uint32 (magic 20240801, version 7; its Llama 3 files).
/// </summary>
/// <param name="Tokens">Tokens in the file.</param>
/// <param name="TokenBytes">2 or 4.</param>
internal readonly record struct TokenShardHeader(int Tokens, int TokenBytes)
{
    public const int Bytes = 1024;
    private const int Magic16 = 20240520;
    private const int Version16 = 1;
    private const int Magic32 = 20240801;
    private const int Version32 = 7;

    /// <summary>Size of the file.</summary>
    public long FileBytes => Bytes + ((long)Tokens * TokenBytes);

    /// <summary>Bytes per token that a vocabulary needs.</summary>
    public static int TokenBytesFor(int vocabularySize) => vocabularySize <= ushort.MaxValue + 1 ? 2 : 4;

    public void Write(Span<byte> header)
    {
        header = header[..Bytes];
        header.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(header, TokenBytes == 2 ? Magic16 : Magic32);
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], TokenBytes == 2 ? Version16 : Version32);
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], Tokens);
    }

    /// <summary>Whether the file begins as a token shard does.</summary>
    public static bool IsAt(string path)
    {
        if (RegularFile.LengthOf(path) == 0)
        {
            return false;
        }

        using FileStream stream = RegularFile.OpenRead(path);
        Span<byte> magic = stackalloc byte[4];
        return stream.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false) == magic.Length
            && BinaryPrimitives.ReadInt32LittleEndian(magic) is Magic16 or Magic32;
    }

    /// <param name="header">The file's first bytes, as many as it has up to <see cref="Bytes"/>.</param>
    /// <param name="path">For messages.</param>
    /// <exception cref="RunFailedException">It is no token shard, or of an unknown version, or its size does not fit its count.</exception>
    public static TokenShardHeader Read(ReadOnlySpan<byte> header, long fileBytes, string path)
    {
        int magic = header.Length < Bytes ? 0 : BinaryPrimitives.ReadInt32LittleEndian(header);
        if (magic is not (Magic16 or Magic32))
        {
            throw new InvalidFileException(path, "not a token shard in llm.c's format");
        }

        int version = BinaryPrimitives.ReadInt32LittleEndian(header[4..]);
        int known = magic == Magic16 ? Version16 : Version32;
        if (version != known)
        {
            throw new InvalidFileException(path, $"token shard of version {version}; this program reads version {known}");
        }

        var result = new TokenShardHeader(BinaryPrimitives.ReadInt32LittleEndian(header[8..]), magic == Magic16 ? 2 : 4);
        if (result.Tokens < 0 || result.FileBytes != fileBytes)
        {
            throw new InvalidFileException(
                path, $"the token shard is damaged or cut short: its header tells {result.Tokens} tokens, which are {result.FileBytes} bytes, and the file has {fileBytes}");
        }

        return result;
    }
}
