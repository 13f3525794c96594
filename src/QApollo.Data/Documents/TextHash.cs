using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace QApollo.Data;

/// <summary>The first 128 bits of SHA-256: equal for equal texts on every machine.</summary>
internal static class TextHash
{
    public static UInt128 Of(string text) => Of(MemoryMarshal.AsBytes(text.AsSpan()));

    public static UInt128 Of(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return BinaryPrimitives.ReadUInt128LittleEndian(hash);
    }
}
