using Xunit;

namespace QApollo.Data.Tests.Mixtures;

public sealed class MixtureScheduleTests
{
    [Theory]
    [InlineData(0.7, 0.3)]
    [InlineData(1.0, 1.0, 1.0)]
    [InlineData(0.999, 0.001)]
    [InlineData(5.0, 3.0, 2.0, 1.0, 1.0)]
    [InlineData(0.82, 0.045, 0.045, 0.045, 0.02, 0.015, 0.01)]
    public void Counts_are_within_one_sequence_of_the_shares_at_every_place(params double[] weights)
    {
        var schedule = new MixtureSchedule(weights, [.. weights.Select(_ => 10L)], WhenExhausted.Repeat);
        double sum = weights.Sum();
        double bound = 1 - (1.0 / ((2 * weights.Length) - 2)) + 1e-9;
        for (int n = 1; n <= 50_000; n++)
        {
            schedule.Next();
            for (int i = 0; i < weights.Length; i++)
            {
                double deviation = schedule.Visited(i) - (weights[i] / sum * n);
                Assert.True(Math.Abs(deviation) <= bound, $"source {i} at {n}: {deviation}");
            }
        }
    }

    [Fact]
    public void Random_weights_keep_the_bound_too()
    {
        var random = new Random(1);
        for (int trial = 0; trial < 100; trial++)
        {
            double[] weights = [.. Enumerable.Range(0, random.Next(2, 12)).Select(_ => Math.Pow(random.NextDouble(), 3) + 1e-4)];
            double sum = weights.Sum();
            var schedule = new MixtureSchedule(weights, [.. weights.Select(_ => 10L)], WhenExhausted.Repeat);
            for (int n = 1; n <= 2000; n++)
            {
                schedule.Next();
                for (int i = 0; i < weights.Length; i++)
                {
                    Assert.True(Math.Abs(schedule.Visited(i) - (weights[i] / sum * n)) < 1);
                }
            }
        }
    }

    [Theory]
    [InlineData(WhenExhausted.Repeat)]
    [InlineData(WhenExhausted.Drop)]
    [InlineData(WhenExhausted.Stop)]
    public void Seeking_gives_what_follows_that_place(WhenExhausted rule)
    {
        MixtureSchedule Create() => new([0.5, 0.3, 0.2], [40, 7, 90], rule);
        MixtureSchedule whole = Create();
        int[] order = [.. Enumerable.Range(0, 700).Select(_ => whole.Next())];
        foreach (int place in (int[])[0, 1, 13, 14, 136, 137, 138, 500])
        {
            MixtureSchedule other = Create();
            other.Seek(600);
            other.Seek(place);
            Assert.Equal(place, other.Index);
            Assert.Equal(order[place..], Enumerable.Range(0, 700 - place).Select(_ => other.Next()));
        }
    }

    [Fact]
    public void A_dropped_source_gives_each_sequence_once_and_the_others_share_its_part()
    {
        var schedule = new MixtureSchedule([0.5, 0.25, 0.25], [10, 100, 50], WhenExhausted.Drop);
        int[] order = [.. Enumerable.Range(0, 160).Select(_ => schedule.Next())];

        Assert.Equal([10, 100, 50], Enumerable.Range(0, 3).Select(source => order.Count(chosen => chosen == source)));
        Assert.True(order[20..].All(chosen => chosen != 0));
        Assert.Equal(20, order[20..60].Count(chosen => chosen == 1));
        Assert.All(order[^50..], chosen => Assert.Equal(1, chosen));

        // All were through: all begin anew.
        Assert.Equal(10, Enumerable.Range(0, 20).Count(_ => schedule.Next() == 0));
    }

    [Fact]
    public void Stop_ends_before_a_source_would_begin_anew()
    {
        var schedule = new MixtureSchedule([0.5, 0.5], [10, 100], WhenExhausted.Stop);
        int taken = 0;
        while (schedule.Has(1))
        {
            schedule.Next();
            taken++;
        }

        Assert.InRange(taken, 20, 21);
        Assert.Equal(10, schedule.Visited(0));
        Assert.False(schedule.Has(5));
        schedule.Seek(12);
        Assert.True(schedule.Has(8));
        Assert.False(schedule.Has(10));
        Assert.Equal(12, schedule.Index);
    }

    [Fact]
    public void Looking_ahead_allocates_nothing_and_changes_nothing()
    {
        var schedule = new MixtureSchedule([0.5, 0.5], [1000, 1000], WhenExhausted.Stop);
        var other = new MixtureSchedule([0.5, 0.5], [1000, 1000], WhenExhausted.Stop);
        schedule.Has(3);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            schedule.Has(64);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal(Enumerable.Range(0, 100).Select(_ => other.Next()), Enumerable.Range(0, 100).Select(_ => schedule.Next()));
    }
}
