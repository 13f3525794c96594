using System.Net;
using System.Net.Sockets;

namespace QApollo.TestSupport;

/// <summary>
/// Ports of this machine for somebody who listens later: below those that systems give to connections and to listeners without a wish
/// (32768 on Linux, 49152 on Windows), each given once by a process, and by another process from another start on.
/// </summary>
public static class FreePort
{
    private const int First = 10_000;
    private const int Count = 10_000;
    private const int OfProcess = 100;

    private static int s_given = Environment.ProcessId % (Count / OfProcess) * OfProcess;

    /// <param name="adjacent">Ports that follow each other.</param>
    /// <returns>The first of them.</returns>
    public static int Find(int adjacent = 1)
    {
        while (true)
        {
            int first = First + ((Interlocked.Add(ref s_given, adjacent) - adjacent) % (Count - adjacent));
            if (Enumerable.Range(first, adjacent).All(IsFree))
            {
                return first;
            }
        }
    }

    private static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Any, port) { ExclusiveAddressUse = true };
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
