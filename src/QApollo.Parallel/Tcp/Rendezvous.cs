using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace QApollo.Parallel.Tcp;

/// <summary>
/// How the ranks find each other: all others connect to rank 0, which tells each where the rest listens; then each connects to
/// those before it. What is not of this run is turned away.
/// </summary>
internal static class Rendezvous
{
    /// <summary>"QAPOLLO" and the version of this exchange.</summary>
    private const long Magic = 0x51_41_50_4F_4C_4C_4F_01;

    private const int HelloBytes = sizeof(long) + (3 * sizeof(int));

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <returns>A link to every rank; null for this one.</returns>
    /// <exception cref="RunFailedException">The others do not come in time, or are of another run.</exception>
    public static Link?[] Meet(Launch launch)
    {
        var links = new Link?[launch.Size];
        using Socket listener = Listen(launch);
        if (launch.Rank == 0)
        {
            Receive(launch, listener, links);
        }
        else
        {
            Introduce(launch, listener, links);
        }

        return links;
    }

    private static Socket Listen(Launch launch)
    {
        var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        int port = launch.Rank == 0 ? launch.MasterPort : 0;
        try
        {
            if (listener.AddressFamily == AddressFamily.InterNetworkV6)
            {
                listener.DualMode = true;
            }

            listener.Bind(new IPEndPoint(listener.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, port));
            listener.Listen(launch.Size);
            return listener;
        }
        catch (SocketException exception)
        {
            listener.Dispose();
            throw new RunFailedException($"rank {launch.Rank} cannot listen on port {port}: {exception.Message}; MASTER_PORT takes another one", exception);
        }
    }

    /// <summary>Rank 0: waits for all others, and tells each where the rest listens.</summary>
    private static void Receive(Launch launch, Socket listener, Link?[] links)
    {
        var places = new string[launch.Size];
        Array.Fill(places, string.Empty);
        Accept(launch, listener, links, first: 1, (rank, port, socket) => places[rank] = $"{((IPEndPoint)socket.RemoteEndPoint!).Address} {port}");
        byte[] table = Encoding.UTF8.GetBytes(string.Join('\n', places));
        foreach (Link? link in links)
        {
            link?.Send(BitConverter.GetBytes(table.Length));
            link?.Send(table);
        }
    }

    /// <summary>The others: connect to rank 0 and to all before this one, and wait for those behind it.</summary>
    private static void Introduce(Launch launch, Socket listener, Link?[] links)
    {
        int port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        links[0] = Connect(launch, 0, launch.MasterAddress, launch.MasterPort, port);
        var length = new byte[sizeof(int)];
        string[] places;
        try
        {
            links[0]!.Receive(length);
            var table = new byte[BitConverter.ToInt32(length)];
            links[0]!.Receive(table);
            places = Encoding.UTF8.GetString(table).Split('\n');
        }
        catch (RankGoneException exception)
        {
            throw new RunFailedException($"rank {launch.Rank} was turned away by rank 0, whose message tells why", exception);
        }

        for (int rank = 1; rank < launch.Rank; rank++)
        {
            string[] place = places[rank].Split(' ');
            links[rank] = Connect(launch, rank, place[0], int.Parse(place[1], System.Globalization.CultureInfo.InvariantCulture), port);
        }

        Accept(launch, listener, links, first: launch.Rank + 1, (_, _, _) => { });
    }

    private static void Accept(Launch launch, Socket listener, Link?[] links, int first, Action<int, int, Socket> arrived)
    {
        var waited = Stopwatch.StartNew();
        while (Enumerable.Range(first, launch.Size - first).Any(rank => links[rank] is null))
        {
            TimeSpan left = Patience - waited.Elapsed;
            if (left <= TimeSpan.Zero || !listener.Poll(left, SelectMode.SelectRead))
            {
                string missing = string.Join(", ", Enumerable.Range(first, launch.Size - first).Where(rank => links[rank] is null));
                throw new RunFailedException($"rank {launch.Rank} has waited {Patience.TotalSeconds:F0} s for rank {missing}: start all {launch.Size}, with the same MASTER_ADDR and MASTER_PORT");
            }

            Socket socket = listener.Accept();
            if (ReadHello(socket) is not { } hello)
            {
                // A scanner, or another program.
                socket.Dispose();
                continue;
            }

            bool isExpected = hello.Size == launch.Size && hello.Rank >= first && hello.Rank < launch.Size && links[hello.Rank] is null;
            if (!isExpected)
            {
                socket.Dispose();
                throw new RunFailedException(
                    hello.Size != launch.Size
                        ? $"WORLD_SIZE is {launch.Size} for rank {launch.Rank}, and {hello.Size} for rank {hello.Rank}"
                        : $"two processes came as rank {hello.Rank}: RANK must be another one for each");
            }

            links[hello.Rank] = new Link(socket, hello.Rank);
            arrived(hello.Rank, hello.Port, socket);
        }
    }

    private static (int Size, int Rank, int Port)? ReadHello(Socket socket)
    {
        const int HelloMilliseconds = 5000;
        Span<byte> hello = stackalloc byte[HelloBytes];
        socket.ReceiveTimeout = HelloMilliseconds;
        try
        {
            for (int read = 0; read < HelloBytes;)
            {
                int count = socket.Receive(hello[read..]);
                if (count == 0)
                {
                    return null;
                }

                read += count;
            }
        }
        catch (SocketException)
        {
            return null;
        }

        socket.ReceiveTimeout = 0;
        return BinaryPrimitives.ReadInt64LittleEndian(hello) == Magic
            ? (Int(hello, 0), Int(hello, 1), Int(hello, 2))
            : null;

        static int Int(ReadOnlySpan<byte> hello, int index) => BinaryPrimitives.ReadInt32LittleEndian(hello[(sizeof(long) + (index * sizeof(int)))..]);
    }

    private static Link Connect(Launch launch, int rank, string address, int port, int ownPort)
    {
        var waited = Stopwatch.StartNew();
        while (true)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Connect(address, port);
                Span<byte> hello = stackalloc byte[HelloBytes];
                BinaryPrimitives.WriteInt64LittleEndian(hello, Magic);
                BinaryPrimitives.WriteInt32LittleEndian(hello[sizeof(long)..], launch.Size);
                BinaryPrimitives.WriteInt32LittleEndian(hello[(sizeof(long) + sizeof(int))..], launch.Rank);
                BinaryPrimitives.WriteInt32LittleEndian(hello[(sizeof(long) + (2 * sizeof(int)))..], ownPort);
                socket.Send(hello);
                return new Link(socket, rank);
            }
            catch (SocketException exception)
            {
                socket.Dispose();
                if (waited.Elapsed > Patience)
                {
                    throw new RunFailedException(
                        $"rank {launch.Rank} does not reach rank {rank} at {address}:{port}: {exception.Message}; does it run, and does no firewall keep the port closed?", exception);
                }

                Thread.Sleep(100);
            }
        }
    }
}
