using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace QApollo.Parallel.Tcp;

/// <summary>
/// How the ranks find each other: all others connect to rank 0, which tells each where the rest listens; then each connects to
/// those before it, and tells rank 0 when it has all. Until then rank 0 watches every rank that has come, and these watch
/// rank 0: where one ends, all do. What is not of this run is turned away.
/// </summary>
internal sealed class Rendezvous
{
    /// <summary>Rank 0 ends what it has gathered, and says why.</summary>
    private const int Refused = int.MaxValue;

    /// <summary>This process is none of the ranks that are waited for.</summary>
    private const int TurnedAway = int.MaxValue - 1;

    private const int Backlog = 128;

    /// <summary>Bytes of an address and a port, as text.</summary>
    private const int LongestPlace = 128;

    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestAttempt = TimeSpan.FromSeconds(2);

    private readonly Launch _launch;
    private readonly TextWriter _notes;
    private readonly Stopwatch _waited = Stopwatch.StartNew();
    private readonly Link?[] _links;

    private Rendezvous(Launch launch, TextWriter notes) => (_launch, _notes, _links) = (launch, notes, new Link?[launch.Size]);

    /// <param name="notes">Told, after some seconds, whom this rank waits for.</param>
    /// <returns>A link to every rank; null for this one.</returns>
    /// <exception cref="RunFailedException">The others do not come in time, end before all have come, or are of another run.</exception>
    public static Link?[] Meet(Launch launch, TextWriter notes)
    {
        var meeting = new Rendezvous(launch, notes);
        try
        {
            using Socket listener = meeting.Listen();
            if (launch.Rank == 0)
            {
                meeting.Host(listener);
            }
            else
            {
                meeting.Join(listener);
            }

            return meeting._links;
        }
        catch (RankGoneException exception)
        {
            meeting.Leave(exception.Rank);
            string text = exception.Rank switch
            {
                TurnedAway => $"rank {launch.Rank} was turned away by rank 0",
                Refused => "rank 0 has ended the meeting",
                int gone => $"rank {gone} ended before all {launch.Size} ranks had met",
            };

            // Where rank 0 tells it, nobody else does.
            throw new RunFailedException($"{text}; what it said tells why", exception) { OnAllRanks = launch.Rank != 0 && exception.Rank is not (0 or TurnedAway) };
        }
        catch (RunFailedException)
        {
            meeting.Leave(Refused);
            throw;
        }
    }

    /// <summary>Rank 0: waits for all others, tells each where the rest listens, and lets them begin when all have met.</summary>
    private void Host(Socket listener)
    {
        var places = new string[_launch.Size];
        Array.Fill(places, string.Empty);
        Accept(listener, first: 1, (rank, port, socket) => places[rank] = $"{AddressOf(socket)} {port}");
        byte[] table = Encoding.UTF8.GetBytes(string.Join('\n', places));
        Tell(BitConverter.GetBytes(table.Length));
        Tell(table);
        foreach (Link link in _links.OfType<Link>())
        {
            while (!link.Socket.Poll(Glance, SelectMode.SelectRead))
            {
                RequireAlive();
            }

            link.Receive([0]);
        }

        Tell([1]);
    }

    /// <summary>The others: connect to rank 0 and to all before this one, and wait for those behind it.</summary>
    private void Join(Socket listener)
    {
        int port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        Link first = _links[0] = Connect(0, _launch.MasterAddress, _launch.MasterPort, port);
        AwaitTable(first);
        var length = new byte[sizeof(int)];
        first.Receive(length);
        int tableBytes = BitConverter.ToInt32(length);
        if (tableBytes < 0 || tableBytes > _launch.Size * LongestPlace)
        {
            throw new RunFailedException($"what answers at {_launch.MasterAddress}:{_launch.MasterPort} is no rank 0 of this program");
        }

        var table = new byte[tableBytes];
        first.Receive(table);
        string[] places = Encoding.UTF8.GetString(table).Split('\n');
        for (int rank = 1; rank < _launch.Rank; rank++)
        {
            string[] place = places[rank].Split(' ');
            string address = place[0].Length > 0 ? place[0] : ((IPEndPoint)first.Socket.RemoteEndPoint!).Address.ToString();
            _links[rank] = Connect(rank, address, int.Parse(place[1], CultureInfo.InvariantCulture), port);
        }

        Accept(listener, first: _launch.Rank + 1, (_, _, _) => { });
        first.Send([1]);
        first.Receive([0]);
    }

    /// <summary>
    /// Where others find a rank that has connected. Empty for one on the host of rank 0 that came by an address which means another host
    /// elsewhere ("localhost", or a host's own name, which Debian resolves to 127.0.1.1): the others find it where they found rank 0.
    /// </summary>
    private static string AddressOf(Socket socket)
    {
        IPAddress address = ((IPEndPoint)socket.RemoteEndPoint!).Address;
        address = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return IPAddress.IsLoopback(address) ? string.Empty : address.ToString();
    }

    /// <summary>Rank 0 gives up before its patience is over; what has a connection and says nothing for longer is another program.</summary>
    private void AwaitTable(Link first)
    {
        var watch = Stopwatch.StartNew();
        while (!first.Socket.Poll(Glance, SelectMode.SelectRead))
        {
            if (watch.Elapsed > _launch.Patience + Silence)
            {
                throw new RunFailedException(
                    $"rank {_launch.Rank} was answered at {_launch.MasterAddress}:{_launch.MasterPort}, and told nothing for {(_launch.Patience + Silence).TotalSeconds:F0} s: is that another program's port? MASTER_PORT takes another one");
            }
        }
    }

    private Socket Listen()
    {
        var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        int port = _launch.Rank == 0 ? _launch.MasterPort : 0;
        try
        {
            if (listener.AddressFamily == AddressFamily.InterNetworkV6)
            {
                listener.DualMode = true;
            }

            listener.Bind(new IPEndPoint(listener.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, port));
            listener.Listen(Math.Max(_launch.Size, Backlog));
            return listener;
        }
        catch (SocketException exception)
        {
            listener.Dispose();
            throw new RunFailedException($"rank {_launch.Rank} cannot listen on port {port}: {exception.Message}; MASTER_PORT takes another one", exception);
        }
    }

    private void Accept(Socket listener, int first, Action<int, int, Socket> arrived)
    {
        bool isSilent = _launch.Rank == 0;
        using var lobby = new Lobby(listener);
        while (Missing(first) is { Length: > 0 } missing)
        {
            RequireAlive();
            if (lobby.Next(Glance) is { } arrival)
            {
                Admit(arrival.Socket, arrival.Hello, first, arrived);
                continue;
            }

            // After the look: who has come is not missing, however late the look was.
            if (isSilent && _waited.Elapsed > Silence)
            {
                isSilent = false;
                _notes.WriteLine($"waiting at port {_launch.MasterPort} for rank {missing} of {_launch.Size}, at most {Seconds}");
            }

            if (_waited.Elapsed > _launch.Patience)
            {
                throw new RunFailedException(
                    $"rank {_launch.Rank} has waited {Seconds} for rank {missing}: start all {_launch.Size}, with the same MASTER_ADDR and MASTER_PORT");
            }
        }
    }

    private void Admit(Socket socket, Hello hello, int first, Action<int, int, Socket> arrived)
    {
        string? fault = hello.Size != _launch.Size ? $"WORLD_SIZE is {_launch.Size} for rank {_launch.Rank}, and {hello.Size} for rank {hello.Rank}"
            : hello.Rank < 0 || hello.Rank >= _launch.Size ? $"a process came as rank {hello.Rank} of {_launch.Size}"
            : hello.Rank < first || _links[hello.Rank] is not null ? $"two processes came as rank {hello.Rank}: RANK must be another one for each"
            : null;
        if (fault is not null)
        {
            Link.Close([new Link(socket, hello.Rank)], TurnedAway);
            throw new RunFailedException(fault);
        }

        _links[hello.Rank] = new Link(socket, hello.Rank);
        arrived(hello.Rank, hello.Port, socket);
    }

    private Link Connect(int rank, string address, int port, int ownPort)
    {
        bool isSilent = true;
        while (true)
        {
            // A connection that a firewall swallows is refused by nobody.
            RequireAlive();
            using var limit = new CancellationTokenSource(LongestAttempt);
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.ConnectAsync(address, port, limit.Token).AsTask().GetAwaiter().GetResult();
                new Hello(_launch.Size, _launch.Rank, ownPort).Send(socket);
                return new Link(socket, rank);
            }
            catch (Exception exception) when (exception is SocketException or OperationCanceledException)
            {
                socket.Dispose();
                string reason = exception is SocketException ? exception.Message : "no answer";
                if (isSilent && _waited.Elapsed > Silence)
                {
                    isSilent = false;
                    _notes.WriteLine($"rank {_launch.Rank} looks for rank {rank} at {address}:{port}, at most {Seconds}: {reason}");
                }

                if (_waited.Elapsed > _launch.Patience)
                {
                    throw new RunFailedException(
                        $"rank {_launch.Rank} has not reached rank {rank} at {address}:{port} within {Seconds}: {reason}; does it run, and does no firewall keep the port closed?",
                        exception);
                }

                Thread.Sleep(Glance);
            }
        }
    }

    private string Seconds => string.Create(CultureInfo.InvariantCulture, $"{_launch.Patience.TotalSeconds:F0} s ({Launch.PatienceVariable})");

    /// <summary>Those that have not come, for people.</summary>
    private string Missing(int first) =>
        string.Join(", ", Enumerable.Range(first, _launch.Size - first).Where(rank => _links[rank] is null));

    /// <summary>Rank 0 looks after all that have come, the others after rank 0, which knows of all.</summary>
    private void RequireAlive()
    {
        foreach (Link? link in _links.AsSpan(0, _launch.Rank == 0 ? _launch.Size : 1))
        {
            if (link?.FindGone() is { } gone)
            {
                throw new RankGoneException(gone);
            }
        }
    }

    private void Tell(ReadOnlySpan<byte> message)
    {
        foreach (Link? link in _links)
        {
            link?.Send(message);
        }
    }

    private void Leave(int why)
    {
        if (_launch.Rank == 0)
        {
            Link.Close(_links, why);
        }

        Array.ForEach(_links, link => link?.Dispose());
    }
}
