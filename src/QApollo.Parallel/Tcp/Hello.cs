using System.Buffers.Binary;
using System.Net.Sockets;

namespace QApollo.Parallel.Tcp;

/// <summary>What a rank says first on a connection to another one.</summary>
/// <param name="Size">Ranks of the run, as it was told.</param>
/// <param name="Port">Where it listens.</param>
internal readonly record struct Hello(int Size, int Rank, int Port)
{
    /// <summary>"QAPOLLO" and the version of this exchange.</summary>
    private const long Magic = 0x51_41_50_4F_4C_4C_4F_02;

    public const int Bytes = sizeof(long) + (3 * sizeof(int));

    /// <exception cref="SocketException">The other side is gone.</exception>
    public void Send(Socket socket)
    {
        Span<byte> hello = stackalloc byte[Bytes];
        BinaryPrimitives.WriteInt64LittleEndian(hello, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(hello[8..], Size);
        BinaryPrimitives.WriteInt32LittleEndian(hello[12..], Rank);
        BinaryPrimitives.WriteInt32LittleEndian(hello[16..], Port);
        socket.Send(hello);
    }

    /// <param name="hello"><see cref="Bytes"/> bytes.</param>
    /// <returns>Null for a scanner, or another program.</returns>
    public static Hello? Parse(ReadOnlySpan<byte> hello)
    {
        return BinaryPrimitives.ReadInt64LittleEndian(hello) == Magic
            ? new Hello(Int(hello[8..]), Int(hello[12..]), Int(hello[16..]))
            : null;

        static int Int(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadInt32LittleEndian(bytes);
    }
}
