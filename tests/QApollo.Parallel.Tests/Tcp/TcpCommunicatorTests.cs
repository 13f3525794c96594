using System.Net;
using System.Net.Sockets;
using QApollo.Collectives;
using QApollo.Parallel.Tcp;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Parallel.Tests.Tcp;

/// <summary>Ranks that are threads, with real connections between them.</summary>
public class TcpCommunicatorTests
{
    [Theory]
    [InlineData(2, 1)]
    [InlineData(3, 1000)]
    [InlineData(4, 4097)]
    [InlineData(4, 3_000_000)]
    public void Every_piece_arrives_where_it_belongs(int size, int piece)
    {
        bool[] right = Run(size, ranks =>
        {
            byte[] source = [.. Enumerable.Range(0, size).SelectMany(to => Filled(piece, (10 * ranks.Rank) + to))];
            var destination = new byte[source.Length];
            var gathered = new byte[source.Length];
            for (int round = 0; round < 3; round++)
            {
                ranks.AllToAll(source, destination);
                ranks.AllGather(source.AsSpan(0, piece), gathered);
                ranks.Barrier();
            }

            byte[] shared = ranks.Rank == 1 ? Filled(piece, 77) : new byte[piece];
            ranks.Broadcast(shared, root: 1);
            return destination.AsSpan().SequenceEqual([.. Enumerable.Range(0, size).SelectMany(from => Filled(piece, (10 * from) + ranks.Rank))])
                && gathered.AsSpan().SequenceEqual([.. Enumerable.Range(0, size).SelectMany(from => Filled(piece, 10 * from))])
                && shared.AsSpan().SequenceEqual(Filled(piece, 77));
        });
        Assert.All(right, Assert.True);
    }

    [Theory]
    [InlineData(16)]
    [InlineData(1_000_000)]
    public void The_rank_that_is_gone_is_named_by_all_others(int piece)
    {
        string[] said = Run(4, ranks =>
        {
            var gathered = new byte[4 * piece];
            ranks.AllGather(Filled(piece, 1), gathered);
            if (ranks.Rank == 2)
            {
                ranks.Abort(1);
                return "left";
            }

            return Record.Exception(() =>
            {
                try
                {
                    ranks.AllGather(Filled(piece, 2), gathered);
                    ranks.AllGather(Filled(piece, 3), gathered);
                }
                catch (RankGoneException)
                {
                    ranks.Abort(1);
                    throw;
                }
            })?.Message ?? "nothing";
        });
        Assert.Equal("left", said[2]);
        Assert.All(said.Where((_, rank) => rank != 2), message => Assert.StartsWith("rank 2 is gone", message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_is_of_no_rank_is_turned_away()
    {
        int port = FreePort.Find();
        Task<int> first = Task.Run(() => Join(0, 2, port).Rank);
        using (var stranger = new TcpClient())
        {
            SpinWait.SpinUntil(() => TryConnect(stranger, port), TimeSpan.FromSeconds(30));
            stranger.GetStream().Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"u8);
            Task<int> second = Task.Run(() => Join(1, 2, port).Rank);
            int[] numbers = await Task.WhenAll(first, second).WaitAsync(TimeSpan.FromSeconds(60));
            Assert.Equal([0, 1], numbers);
        }
    }

    [Fact]
    public async Task Ranks_of_another_count_are_refused()
    {
        int port = FreePort.Find();
        Task<Exception?> first = Task.Run<Exception?>(() => Record.Exception(() => Join(0, 2, port)));
        Task<Exception?> other = Task.Run<Exception?>(() => Record.Exception(() => Join(1, 3, port)));
        Exception?[] said = await Task.WhenAll(first, other).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal("WORLD_SIZE is 2 for rank 0, and 3 for rank 1", said[0]!.Message);
        Assert.Contains("turned away by rank 0", said[1]!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Messages_of_another_length_end_the_run()
    {
        string[] said = Run(2, ranks => Record.Exception(() =>
        {
            var gathered = new byte[2 * (8 + ranks.Rank)];
            ranks.AllGather(new byte[8 + ranks.Rank], gathered);
        })?.Message ?? "nothing");
        Assert.All(said, message => Assert.Contains("the ranks run different programs", message, StringComparison.Ordinal));
    }

    /// <summary>Of the message of rank 1 there is the length alone; rank 2 ends when that has been told.</summary>
    [Fact]
    public async Task A_rank_that_is_held_amid_a_message_is_named_and_does_not_hide_the_death_of_another()
    {
        int port = FreePort.Find();
        using var notes = new Notes();
        Task<Exception?> first = Task.Factory.StartNew<Exception?>(
            () =>
            {
                var launch = new Launch(Launcher.Tcp, 0, 3, "127.0.0.1", port) { Patience = TimeSpan.FromSeconds(10) };
                using TcpCommunicator ranks = TcpCommunicator.Join(launch, TextWriter.Null, notes);
                return Record.Exception(ranks.Barrier);
            },
            TaskCreationOptions.LongRunning);
        Task<Link?[]>[] others =
        [
            .. Enumerable.Range(1, 2).Select(rank => Task.Factory.StartNew(
                () => Rendezvous.Meet(new Launch(Launcher.Tcp, rank, 3, "127.0.0.1", port), TextWriter.Null), TaskCreationOptions.LongRunning)),
        ];
        Link?[][] links = await Task.WhenAll(others).WaitAsync(TimeSpan.FromSeconds(60));
        links[1][0]!.Send([0]);
        links[0][0]!.Socket.Send(BitConverter.GetBytes(1));
        string note = await notes.First.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Contains("s for rank 1, which lives", note, StringComparison.Ordinal);
        Array.ForEach(links[1], link => link?.Dispose());
        Exception? said = await first.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.StartsWith("rank 2 is gone", said!.Message, StringComparison.Ordinal);
        Array.ForEach(links[0], link => link?.Dispose());
    }

    private static byte[] Filled(int length, int value)
    {
        var bytes = new byte[length];
        bytes.AsSpan().Fill((byte)value);
        return bytes;
    }

    private static bool TryConnect(TcpClient client, int port)
    {
        try
        {
            client.Connect(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            Thread.Sleep(10);
            return false;
        }
    }

    private static T[] Run<T>(int size, Func<ICommunicator, T> work)
    {
        int port = FreePort.Find();
        Task<T>[] tasks = [.. Enumerable.Range(0, size).Select(rank => Task.Factory.StartNew(
            () =>
            {
                using ICommunicator ranks = Join(rank, size, port);
                return work(ranks);
            },
            TaskCreationOptions.LongRunning))];
        Assert.True(Task.WaitAll(tasks, TimeSpan.FromMinutes(2)), "ranks wait for each other");
        return [.. tasks.Select(task => task.Result)];
    }

    private sealed class Notes : StringWriter
    {
        private readonly TaskCompletionSource<string> _first = new();

        public Task<string> First => _first.Task;

        public override void WriteLine(string? value) => _first.TrySetResult(value!);
    }

    private static TcpCommunicator Join(int rank, int size, int port) => TcpCommunicator.Join(new Launch(Launcher.Tcp, rank, size, "127.0.0.1", port));
}
