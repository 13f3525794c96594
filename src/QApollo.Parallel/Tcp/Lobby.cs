using System.Diagnostics;
using System.Net.Sockets;

namespace QApollo.Parallel.Tcp;

/// <summary>
/// Where those wait who have connected and not yet said who they are. Nobody holds up another: what says nothing in time, or is no rank
/// of this program, is shown out.
/// </summary>
/// <param name="listener">Listens; stays its owner's.</param>
internal sealed class Lobby(Socket listener) : IDisposable
{
    /// <summary>A rank says who it is as soon as it has connected.</summary>
    private const int Places = 256;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly List<Visitor> _visitors = [];

    /// <param name="limit">How long to wait at most.</param>
    /// <returns>One that has said who it is, with a connection that is the caller's now; null for none.</returns>
    public (Socket Socket, Hello Hello)? Next(TimeSpan limit)
    {
        List<Socket> ready = [listener, .. _visitors.Select(visitor => visitor.Socket)];
        Socket.Select(ready, null, null, limit);
        if (ready.Remove(listener))
        {
            _visitors.Add(new Visitor(listener.Accept()));
        }

        foreach (Visitor visitor in _visitors.Where(visitor => ready.Contains(visitor.Socket)).ToArray())
        {
            if (visitor.TryRead() is not { } isWhole)
            {
                ShowOut(visitor);
            }
            else if (isWhole)
            {
                if (visitor.Hello is { } hello)
                {
                    _visitors.Remove(visitor);
                    visitor.Socket.Blocking = true;
                    return (visitor.Socket, hello);
                }

                ShowOut(visitor);
            }
        }

        // In the order in which they came.
        while (_visitors.Count > 0 && (_visitors.Count > Places || _visitors[0].Since.Elapsed > Patience))
        {
            ShowOut(_visitors[0]);
        }

        return null;
    }

    public void Dispose() => _visitors.ForEach(visitor => visitor.Socket.Dispose());

    private void ShowOut(Visitor visitor)
    {
        _visitors.Remove(visitor);
        visitor.Socket.Dispose();
    }

    private sealed class Visitor
    {
        private readonly byte[] _said = new byte[Tcp.Hello.Bytes];
        private int _count;

        public Visitor(Socket socket)
        {
            Socket = socket;
            socket.Blocking = false;
        }

        public Socket Socket { get; }

        public Stopwatch Since { get; } = Stopwatch.StartNew();

        public Hello? Hello => Tcp.Hello.Parse(_said);

        /// <returns>Whether it has said all; null where it is gone.</returns>
        public bool? TryRead()
        {
            try
            {
                int count = Socket.Receive(_said.AsSpan(_count));
                _count += count;
                return count == 0 ? null : _count == _said.Length;
            }
            catch (SocketException exception) when (exception.SocketErrorCode == SocketError.WouldBlock)
            {
                return false;
            }
            catch (SocketException)
            {
                return null;
            }
        }
    }
}
