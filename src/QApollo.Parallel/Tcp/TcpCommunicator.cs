using System.Diagnostics;
using System.Globalization;
using QApollo.Collectives;

namespace QApollo.Parallel.Tcp;

/// <summary>
/// A connection between every two ranks, for those without an MPI. In round s a rank sends to the one s places on, and receives
/// from the one s places back.
/// </summary>
internal sealed unsafe class TcpCommunicator : ICommunicator, IRankWatch
{
    /// <summary>What the system's buffers take without anyone receiving.</summary>
    private const int SmallBytes = 4096;

    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    /// <summary>So long nobody wonders why a rank says nothing.</summary>
    private static readonly TimeSpan Glance = TimeSpan.FromSeconds(3);

    private readonly Link?[] _links;
    private readonly Action[] _waits; // for something from a rank
    private readonly TimeSpan _patience;
    private readonly TextWriter _notes;
    private readonly Sender _sender;
    private byte* _source;
    private int _stride;
    private int _piece;
    private int _gone = -1;
    private bool _closed;
    private volatile int _busy;

    private TcpCommunicator(Launch launch, Link?[] links, TextWriter notes)
    {
        (Rank, _links, _patience, _notes) = (launch.Rank, links, launch.Patience, notes);
        _waits = [.. Enumerable.Range(0, links.Length).Select(from => (Action)(() => Await(from)))];
        _sender = new Sender(SendToAll);
    }

    public int Rank { get; }

    public int Size => _links.Length;

    public string Description => "TCP";

    /// <inheritdoc cref="Join(Launch, TextWriter, TextWriter)"/>
    public static TcpCommunicator Join(Launch launch, TextWriter? notes = null) => Join(launch, notes ?? TextWriter.Null, notes ?? TextWriter.Null);

    /// <inheritdoc cref="Rendezvous.Meet"/>
    /// <param name="meetingNotes">Told, after some seconds, whom this rank waits for at the meeting.</param>
    /// <param name="notes">Told, after the launch's patience, whom it waits for later.</param>
    public static TcpCommunicator Join(Launch launch, TextWriter meetingNotes, TextWriter notes) => new(launch, Rendezvous.Meet(launch, meetingNotes), notes);

    public void AllToAll(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        int piece = source.Length / Size;
        source.Slice(Rank * piece, piece).CopyTo(destination[(Rank * piece)..]);
        Exchange(source, stride: piece, piece, destination);
    }

    public void AllGather(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        source.CopyTo(destination[(Rank * source.Length)..]);
        Exchange(source, stride: 0, source.Length, destination);
    }

    public void Broadcast(Span<byte> bytes, int root)
    {
        _busy++;
        try
        {
            if (Rank != root)
            {
                _links[root]!.Receive(bytes, _waits[root]);
                return;
            }

            foreach (Link? link in _links)
            {
                link?.Send(bytes);
            }
        }
        catch (RankGoneException exception)
        {
            _gone = exception.Rank;
            throw;
        }
        finally
        {
            _busy++;
        }
    }

    public void Barrier()
    {
        Span<byte> all = stackalloc byte[Size];
        AllGather([0], all);
    }

    /// <inheritdoc/>
    public int? FindGone()
    {
        int before = _busy;
        int? gone = before % 2 == 0 ? _links.Select(link => link?.FindGone()).FirstOrDefault(rank => rank is not null) : null;

        // Within a message any bytes may follow.
        return _busy == before ? gone : null;
    }

    public void Abort(int exitCode)
    {
        Link.Close(_links, _gone >= 0 ? _gone : Rank);
        Dispose();
    }

    public void Dispose()
    {
        if (_closed)
        {
            return;
        }

        _closed = true;
        foreach (Link? link in _links)
        {
            link?.Dispose();
        }

        _sender.Dispose();
    }

    /// <param name="stride">Bytes from the piece for a rank to that for the next one.</param>
    private void Exchange(ReadOnlySpan<byte> source, int stride, int piece, Span<byte> destination)
    {
        bool isSmall = piece <= SmallBytes;
        if (!isSmall)
        {
            // What is not read in time fills the way to a rank, which then looks as if it had lost its power: all read from now on.
            Barrier();
        }

        fixed (byte* pinned = source)
        {
            _source = pinned;
            (_stride, _piece) = (stride, piece);
            bool isSending = false;
            _busy++;
            try
            {
                if (isSmall)
                {
                    SendToAll();
                }
                else
                {
                    _sender.Begin();
                    isSending = true;
                }

                for (int round = 1; round < Size; round++)
                {
                    int from = (Rank - round + Size) % Size;
                    _links[from]!.Receive(destination.Slice(from * piece, piece), _waits[from]);
                }

                if (isSending)
                {
                    isSending = false;
                    _sender.Await();
                }
            }
            catch (RankGoneException exception)
            {
                _gone = exception.Rank;
                throw;
            }
            finally
            {
                _busy++;
                if (isSending)
                {
                    // It reads the caller's memory: without its connections it ends.
                    CloseAndAwait();
                }
            }
        }
    }

    /// <summary>
    /// Waits for something to read, a message or the rest of one. A process that hangs, or is held, keeps its connections, and cannot be told
    /// from one that is at work: it is only named, by one rank. But another that dies meanwhile ends this one.
    /// </summary>
    /// <exception cref="RankGoneException">Another rank is gone.</exception>
    private void Await(int from)
    {
        long began = Stopwatch.GetTimestamp();
        bool isSilent = Rank == (from == 0 ? 1 : 0);
        while (!_links[from]!.IsReadable(Glance))
        {
            for (int rank = 0; rank < Size; rank++)
            {
                if (rank != from && _links[rank] is { } link && (link.FindGone() ?? (link.IsClosed() ? rank : null)) is { } gone)
                {
                    throw new RankGoneException(gone);
                }
            }

            TimeSpan waited = Stopwatch.GetElapsedTime(began);
            if (isSilent && waited > _patience)
            {
                isSilent = false;
                _notes.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"note: rank {Rank} has waited {waited.TotalSeconds:F0} s for rank {from}, which lives: it works on something, is held, or hangs; where it is ended, all end"));
            }
        }
    }

    private void CloseAndAwait()
    {
        // To those that still read it ends by itself; a farewell in the midst of a message would be part of it.
        bool hasEnded = _sender.TryAwait(Grace);
        Link.Close(_links, _gone >= 0 ? _gone : Rank);
        if (!hasEnded)
        {
            _sender.TryAwait(Timeout.InfiniteTimeSpan);
        }
    }

    private void SendToAll()
    {
        for (int round = 1; round < Size; round++)
        {
            int to = (Rank + round) % Size;
            _links[to]!.Send(new ReadOnlySpan<byte>(_source + ((long)to * _stride), _piece), isAlone: _piece <= SmallBytes);
        }
    }
}
