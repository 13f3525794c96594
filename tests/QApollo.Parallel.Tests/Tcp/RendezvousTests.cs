using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using QApollo.Parallel.Tcp;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Parallel.Tests.Tcp;

/// <summary>Ranks that end, or never come, while the others look for each other.</summary>
public class RendezvousTests
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(30);
    private readonly int _port = FreePort.Find();

    /// <summary>It ends before all have come, or after it has been told where they are.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task One_that_ends_is_named_by_rank_0_at_once(bool hearsTheTable)
    {
        int size = hearsTheTable ? 3 : 4;
        using var relay = new Relay(_port);
        Task<Outcome>[] ranks = [Join(0, size), Join(1, size, port: relay.Port)];
        await relay.Passed.WaitAsync(TimeSpan.FromSeconds(30));
        using (Socket dying = await Introduce(rank: 2, size))
        {
            Assert.True(!hearsTheTable || await dying.ReceiveAsync(new byte[1]) > 0);
        }

        Outcome[] said = await Task.WhenAll(ranks).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal($"rank 2 ended before all {size} ranks had met; what it said tells why", said[0].Failure!.Message);
        Assert.False(said[0].Failure!.OnAllRanks);
        Assert.True(said[1].Failure!.OnAllRanks);
    }

    [Fact]
    public async Task Rank_0_that_ends_is_named_by_the_others()
    {
        using (var zero = new TcpListener(IPAddress.Loopback, _port))
        {
            zero.Start();
            Task<Outcome> other = Join(1, 2);
            (await zero.AcceptSocketAsync()).Dispose();
            Outcome said = await other.WaitAsync(TimeSpan.FromSeconds(30));
            Assert.Equal("rank 0 ended before all 2 ranks had met; what it said tells why", said.Failure!.Message);
            Assert.False(said.Failure.OnAllRanks);
        }
    }

    [Fact]
    public async Task Those_that_never_come_are_named_once()
    {
        var patience = TimeSpan.FromSeconds(6);
        Outcome[] said = await Task.WhenAll(Join(0, 4, patience), Join(2, 4, Long)).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal($"waiting at port {_port} for rank 1, 3 of 4, at most 6 s (QAPOLLO_RANK_TIMEOUT)", said[0].Notes.Trim());
        Assert.Equal("rank 0 has waited 6 s (QAPOLLO_RANK_TIMEOUT) for rank 1, 3: start all 4, with the same MASTER_ADDR and MASTER_PORT", said[0].Failure!.Message);
        Assert.False(said[0].Failure!.OnAllRanks);
        Assert.True(said[1].Failure!.OnAllRanks);
        Assert.Empty(said[1].Notes);
    }

    [Fact]
    public async Task Without_rank_0_the_others_say_where_they_looked()
    {
        Outcome said = await Join(1, 2, TimeSpan.FromSeconds(1));
        Assert.StartsWith($"rank 1 has not reached rank 0 at 127.0.0.1:{_port} within 1 s (QAPOLLO_RANK_TIMEOUT): ", said.Failure!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_of_one_number_are_refused()
    {
        Task<Outcome>[] ranks = [Join(0, 3), Join(1, 3), Join(1, 3)];
        Outcome[] said = await Task.WhenAll(ranks).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal("two processes came as rank 1: RANK must be another one for each", said[0].Failure!.Message);
        Assert.All(said, outcome => Assert.NotNull(outcome.Failure));
    }

    /// <summary>They say nothing, or little by little, for longer than rank 0 waits for its own.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1000)]
    public async Task Strangers_hold_up_nobody(int milliseconds)
    {
        var patience = TimeSpan.FromSeconds(20);
        Task<Outcome> zero = Join(0, 2, patience);
        var strangers = new List<Socket>();
        for (int i = 0; i < 8; i++)
        {
            strangers.Add(await Connect(_port));
        }

        using var dribble = new Timer(_ => strangers.ForEach(Dribble), null, milliseconds == 0 ? Timeout.Infinite : 0, milliseconds);
        var watch = Stopwatch.StartNew();
        Outcome[] said = await Task.WhenAll(zero, Join(1, 2, patience));
        Assert.All(said, outcome => Assert.Null(outcome.Failure));

        // One after the other, they would take five seconds each.
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 15);
        await dribble.DisposeAsync();
        strangers.ForEach(stranger => stranger.Dispose());
    }

    [Fact]
    public async Task What_is_none_of_the_ranks_is_not_called_a_double()
    {
        Task<Outcome> zero = Join(0, 2);
        using Socket stranger = await Introduce(rank: -5, size: 2);
        Outcome said = await zero.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal("a process came as rank -5 of 2", said.Failure!.Message);
    }

    [Fact]
    public async Task Another_program_at_the_port_of_rank_0_is_noticed()
    {
        using var other = new TcpListener(IPAddress.Loopback, _port);
        other.Start();
        Task<Outcome> silent = Join(1, 2, TimeSpan.FromSeconds(1));
        using Socket first = await other.AcceptSocketAsync();
        Assert.StartsWith($"rank 1 was answered at 127.0.0.1:{_port}, and told nothing for 6 s", (await silent.WaitAsync(TimeSpan.FromSeconds(30))).Failure!.Message, StringComparison.Ordinal);

        Task<Outcome> wrong = Join(1, 2, TimeSpan.FromSeconds(1));
        using Socket second = await other.AcceptSocketAsync();
        second.Send([4, 0, 0, 0, 0xf0, 0xff, 0xff, 0xff]);
        Assert.Equal($"what answers at 127.0.0.1:{_port} is no rank 0 of this program", (await wrong.WaitAsync(TimeSpan.FromSeconds(30))).Failure!.Message);
    }

    private Task<Outcome> Join(int rank, int size, TimeSpan? patience = null, int? port = null) => Task.Factory.StartNew(
        () =>
        {
            var notes = new StringWriter();
            try
            {
                using var ranks = TcpCommunicator.Join(new Launch(Launcher.Tcp, rank, size, "127.0.0.1", port ?? _port) { Patience = patience ?? Long }, notes);
                return new Outcome(null, notes.ToString());
            }
            catch (RunFailedException exception)
            {
                return new Outcome(exception, notes.ToString());
            }
        },
        TaskCreationOptions.LongRunning);

    /// <summary>A connection to rank 0 that comes as a rank.</summary>
    private async Task<Socket> Introduce(int rank, int size)
    {
        Socket socket = await Connect(_port);
        new Hello(size, rank, Port: 1).Send(socket);
        return socket;
    }

    private static async Task<Socket> Connect(int port)
    {
        while (true)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, port);
                return socket;
            }
            catch (SocketException)
            {
                socket.Dispose();
                await Task.Delay(20);
            }
        }
    }

    /// <summary>Until it is shown out.</summary>
    private static void Dribble(Socket stranger)
    {
        try
        {
            stranger.Send([0]);
        }
        catch (SocketException)
        {
            // It was.
        }
    }

    private sealed record Outcome(RunFailedException? Failure, string Notes);

    /// <summary>A way to a port on which one sees when the first rank that takes it has introduced itself there.</summary>
    private sealed class Relay : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly TaskCompletionSource _passed = new();
        private readonly List<Socket> _sockets = [];

        public Relay(int port)
        {
            _listener.Start();
            _ = Run(port);
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        public Task Passed => _passed.Task;

        public void Dispose()
        {
            _listener.Dispose();
            _sockets.ForEach(socket => socket.Dispose());
        }

        private async Task Run(int port)
        {
            Socket near = await _listener.AcceptSocketAsync(), far = await Connect(port);
            _sockets.AddRange([near, far]);
            _ = Pass(far, near);
            await Pass(near, far);
        }

        private async Task Pass(Socket from, Socket to)
        {
            var bytes = new byte[1024];
            try
            {
                int read;
                while ((read = await from.ReceiveAsync(bytes)) > 0)
                {
                    await to.SendAsync(bytes.AsMemory(0, read));
                    _passed.TrySetResult();
                }

                to.Shutdown(SocketShutdown.Send);
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                to.Dispose();
            }
        }
    }
}
