using QApollo.Collectives;

namespace QApollo.TestSupport.Collectives;

/// <summary>Ranks that are threads of one process. One that fails ends the others, as processes do.</summary>
public sealed class ThreadRanks : IDisposable
{
    private readonly byte[][] _sources;
    private readonly Barrier _meeting;
    private readonly CancellationTokenSource _gone = new();
    private int _goneRank = -1;

    private ThreadRanks(int size)
    {
        _sources = new byte[size][];
        _meeting = new Barrier(size);
    }

    /// <summary>Runs the work on so many ranks at once, and returns their results in order.</summary>
    /// <exception cref="RunFailedException">What the first rank that failed threw, or anything else that it threw.</exception>
    public static T[] Run<T>(int size, Func<ICommunicator, T> work)
    {
        using var group = new ThreadRanks(size);
        var results = new T[size];
        var failures = new Exception?[size];
        Thread[] threads = [.. Enumerable.Range(0, size).Select(rank => new Thread(() =>
        {
            try
            {
                results[rank] = work(new Member(group, rank));
            }
            catch (Exception exception)
            {
                failures[rank] = exception;
                group.Leave(rank);
            }
        }))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        if (failures.OfType<Exception>().Any())
        {
            throw failures[Math.Max(0, group._goneRank)] ?? failures.OfType<Exception>().First();
        }

        return results;
    }

    /// <summary>What each rank threw, or null.</summary>
    public static Exception?[] Failures(int size, Action<ICommunicator> work) => Run(size, ranks => Catch(ranks, work));

    private static RunFailedException? Catch(ICommunicator ranks, Action<ICommunicator> work)
    {
        try
        {
            work(ranks);
            return null;
        }
        catch (RunFailedException exception)
        {
            ranks.Abort(1);
            return exception;
        }
    }

    public void Dispose()
    {
        _meeting.Dispose();
        _gone.Dispose();
    }

    private void Leave(int rank)
    {
        Interlocked.CompareExchange(ref _goneRank, rank, -1);
        _gone.Cancel();
    }

    private void Meet()
    {
        try
        {
            _meeting.SignalAndWait(_gone.Token);
        }
        catch (OperationCanceledException)
        {
            throw new RunFailedException($"rank {_goneRank} is gone");
        }
    }

    private sealed class Member(ThreadRanks group, int rank) : ICommunicator
    {
        public int Rank => rank;

        public int Size => group._sources.Length;

        public string Description => "threads";

        public void AllToAll(ReadOnlySpan<byte> source, Span<byte> destination)
        {
            Offer(source);
            int piece = source.Length / Size;
            for (int other = 0; other < Size; other++)
            {
                group._sources[other].AsSpan(rank * piece, piece).CopyTo(destination[(other * piece)..]);
            }

            group.Meet();
        }

        public void AllGather(ReadOnlySpan<byte> source, Span<byte> destination)
        {
            Offer(source);
            for (int other = 0; other < Size; other++)
            {
                group._sources[other].CopyTo(destination[(other * source.Length)..]);
            }

            group.Meet();
        }

        public void Broadcast(Span<byte> bytes, int root)
        {
            Offer(bytes);
            group._sources[root].CopyTo(bytes);
            group.Meet();
        }

        public void Barrier() => group.Meet();

        public void Abort(int exitCode) => group.Leave(rank);

        public void Dispose()
        {
        }

        private void Offer(ReadOnlySpan<byte> source)
        {
            group._sources[rank] = source.ToArray();
            group.Meet();
        }
    }
}
