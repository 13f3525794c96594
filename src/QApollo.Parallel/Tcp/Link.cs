using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;

namespace QApollo.Parallel.Tcp;

/// <summary>
/// The connection to another rank. A message is its length and its bytes; a length below zero is a farewell, which names the
/// rank that is gone as -1 - rank.
/// </summary>
internal sealed class Link : IDisposable
{
    private const int HeaderBytes = sizeof(int);
    private const int PassedBytes = 1024;

    // TCP_INFO, whose first byte is the state of the connection, and TCP_USER_TIMEOUT of linux/tcp.h.
    private const int TcpProtocol = 6;
    private const int Info = 11;
    private const byte Established = 1;
    private const int UserTimeout = 18;
    private const int SilenceMilliseconds = 15_000;

    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(1);

    private readonly Socket _socket;
    private readonly int _rank;

    /// <param name="rank">Of the other side.</param>
    public Link(Socket socket, int rank)
    {
        (_socket, _rank) = (socket, rank);
        socket.NoDelay = true;

        // A host that loses its power says nothing: neither while it is listened to, nor while it should confirm what it was sent.
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 5);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 2);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 5);
        if (OperatingSystem.IsLinux())
        {
            socket.SetRawSocketOption(TcpProtocol, UserTimeout, BitConverter.GetBytes(SilenceMilliseconds));
        }
    }

    public Socket Socket => _socket;

    /// <returns>Whether a message, or the connection's end, is there within the time.</returns>
    public bool IsReadable(TimeSpan limit)
    {
        try
        {
            return _socket.Poll(limit, SelectMode.SelectRead);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            return true;
        }
    }

    /// <param name="isAlone">Nothing is received from the other side meanwhile: what it said before it ended may tell who was gone first.</param>
    /// <exception cref="RankGoneException">The other side is gone, or told of a rank that is.</exception>
    public void Send(ReadOnlySpan<byte> bytes, bool isAlone = true)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        BinaryPrimitives.WriteInt32LittleEndian(header, bytes.Length);
        if (!TrySendAll(header) || !TrySendAll(bytes))
        {
            throw new RankGoneException(isAlone ? ReadFarewell() : _rank);
        }
    }

    /// <param name="bytes">Filled by a message of this length.</param>
    /// <param name="wait">Returns when there is something to read: the other side may be held amid a message.</param>
    /// <exception cref="RankGoneException">The other side is gone, or knows of a rank that is.</exception>
    public void Receive(Span<byte> bytes, Action? wait = null)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        ReceiveAll(header, wait);
        int length = BinaryPrimitives.ReadInt32LittleEndian(header);
        if (length < 0)
        {
            throw new RankGoneException(-1 - length);
        }

        if (length != bytes.Length)
        {
            throw new RunFailedException($"rank {_rank} sent {length} bytes where {bytes.Length} were due: the ranks run different programs");
        }

        ReceiveAll(bytes, wait);
    }

    /// <summary>The rank that is known to be gone, between two messages; null for none. Takes nothing from the connection.</summary>
    public int? FindGone()
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        try
        {
            if (!_socket.Poll(0, SelectMode.SelectRead))
            {
                return null;
            }

            int read = _socket.Receive(header, SocketFlags.Peek);
            int length = BinaryPrimitives.ReadInt32LittleEndian(header);
            return read == 0 ? _rank : read == HeaderBytes && length < 0 ? -1 - length : null;
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            return _rank;
        }
    }

    /// <summary>Whether the other side has closed the connection, also where messages lie before its end that nobody has read yet (Linux).</summary>
    public bool IsClosed()
    {
        try
        {
            Span<byte> state = stackalloc byte[1];
            return OperatingSystem.IsLinux() && _socket.GetRawSocketOption(TcpProtocol, Info, state) > 0 && state[0] != Established;
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            return true;
        }
    }

    /// <summary>
    /// Tells all, where they still listen, that a rank is gone, and closes. What is closed before it has been read to its end takes back what
    /// was sent last: so it is read until the other side closes too, for a second at most.
    /// </summary>
    public static void Close(IEnumerable<Link?> links, int gone)
    {
        Link[] open = [.. links.OfType<Link>()];
        Array.ForEach(open, link => link.Farewell(gone));
        var since = Stopwatch.StartNew();
        Array.ForEach(open, link => link.Drain(since));
        Array.ForEach(open, link => link.Dispose());
    }

    public void Dispose() => _socket.Dispose();

    private void Drain(Stopwatch since)
    {
        var discarded = new byte[1 << 16];
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
            while (since.Elapsed < Linger && (!_socket.Poll(Linger / 20, SelectMode.SelectRead) || _socket.Receive(discarded) > 0))
            {
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // It has ended already.
        }
    }

    private void Farewell(int rank)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        BinaryPrimitives.WriteInt32LittleEndian(header, -1 - rank);
        try
        {
            _socket.Blocking = false;
            _socket.Send(header);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // It has ended already.
        }
    }

    /// <summary>Passes over the messages that the other side had sent when it ended.</summary>
    /// <returns>The rank that its farewell names; itself without one.</returns>
    private int ReadFarewell()
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        Span<byte> passed = stackalloc byte[PassedBytes];
        try
        {
            while (true)
            {
                ReceiveAll(header, wait: null);
                int length = BinaryPrimitives.ReadInt32LittleEndian(header);
                if (length < 0)
                {
                    return -1 - length;
                }

                for (int left = length; left > 0; left -= passed.Length)
                {
                    ReceiveAll(passed[..Math.Min(left, passed.Length)], wait: null);
                }
            }
        }
        catch (RankGoneException)
        {
            return _rank;
        }
    }

    private bool TrySendAll(ReadOnlySpan<byte> bytes)
    {
        try
        {
            while (bytes.Length > 0)
            {
                bytes = bytes[_socket.Send(bytes)..];
            }

            return true;
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }

    private void ReceiveAll(Span<byte> bytes, Action? wait)
    {
        try
        {
            while (bytes.Length > 0)
            {
                wait?.Invoke();
                int read = _socket.Receive(bytes);
                bytes = read > 0 ? bytes[read..] : throw new RankGoneException(_rank);
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            throw new RankGoneException(_rank);
        }
    }
}
