using System.Net;
using System.Net.Sockets;
using QApollo.Parallel.Tcp;
using Xunit;

namespace QApollo.Parallel.Tests.Tcp;

public class LinkTests
{
    /// <summary>Rank 1 has sent a message that nobody read, has said that rank 2 is gone, and has ended: rank 2 ended first.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_rank_that_cannot_be_sent_to_has_told_who_was_gone_first(bool saysFarewell)
    {
        (Socket near, Socket far) = await Pair();
        using var link = new Link(near, rank: 1);
        using var other = new Link(far, rank: 0);
        other.Send(new byte[3000]);
        if (saysFarewell)
        {
            Link.Close([other], gone: 2);
        }

        other.Dispose();
        Action sending = () =>
        {
            // What is sent first may be taken by the system still.
            while (true)
            {
                link.Send([1]);
            }
        };
        RankGoneException exception = Assert.Throws<RankGoneException>(sending);
        Assert.Equal(saysFarewell ? 2 : 1, exception.Rank);
    }

    private static async Task<(Socket Near, Socket Far)> Pair()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var near = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await near.ConnectAsync(listener.LocalEndpoint);
        return (near, await listener.AcceptSocketAsync());
    }
}
