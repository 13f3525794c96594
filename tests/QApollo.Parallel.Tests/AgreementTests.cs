using QApollo.Collectives;
using QApollo.TestSupport.Collectives;
using Xunit;

namespace QApollo.Parallel.Tests;

public class AgreementTests
{
    [Fact]
    public void What_all_can_do_is_done() =>
        Assert.Equal([0, 10, 20], ThreadRanks.Run(3, ranks => ranks.Together(() => ranks.Rank * 10)));

    [Theory]
    [InlineData(true, "rank 1: no such file")]
    [InlineData(false, "no such file")]
    public void What_one_cannot_do_all_refuse_with_one_message(bool onlyOne, string expected)
    {
        Exception[] failures = Failures(3, ranks => ranks.Together(() =>
            !onlyOne || ranks.Rank == 1 ? throw new UsageException("no such file") : 1));
        Assert.All(failures, failure => Assert.True(Assert.IsType<UsageException>(failure).OnAllRanks));
        Assert.All(failures, failure => Assert.Equal(expected, failure.Message));
    }

    [Fact]
    public void Other_failures_are_common_too()
    {
        Exception[] failures = Failures(2, ranks => ranks.Together(() => ranks.Rank == 0 ? throw new IOException("disk") : 1));
        Assert.All(failures, failure => Assert.Equal("rank 0: disk", Assert.IsType<RunFailedException>(failure).Message));
    }

    [Fact]
    public void Rank_0_is_done_before_the_others_begin()
    {
        int done = 0;
        int[] seen = ThreadRanks.Run(3, ranks => ranks.FirstOnRankZero(() =>
        {
            int before = Volatile.Read(ref done);
            if (ranks.Rank == 0)
            {
                Thread.Sleep(50);
                Volatile.Write(ref done, 1);
            }

            return before;
        }));
        Assert.Equal([0, 1, 1], seen);
    }

    [Fact]
    public void A_difference_is_named()
    {
        Exception[] failures = Failures(3, ranks =>
        {
            ranks.RequireSame([("--lr", "0.01"), ("--seed", ranks.Rank == 2 ? "7" : "1")]);
            return 0;
        });
        Assert.All(failures, failure => Assert.Equal("rank 2 has --seed 7, rank 0 has --seed 1: all ranks must be given the same", failure.Message));
        Assert.Equal([1, 1], ThreadRanks.Run(2, ranks =>
        {
            ranks.RequireSame([("--lr", "0.01")]);
            return 1;
        }));
    }

    private static Exception[] Failures(int size, Func<ICommunicator, int> work) => ThreadRanks.Run(size, ranks =>
    {
        try
        {
            work(ranks);
            throw new InvalidOperationException("nothing was refused");
        }
        catch (Exception exception) when (exception is UsageException or RunFailedException)
        {
            return exception;
        }
    });
}
