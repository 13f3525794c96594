using Xunit;

namespace QApollo.Data.Tests.Batches;

public sealed class SequenceOrderTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(17)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(100_003)]
    public void Every_item_is_visited_once(int count)
    {
        var order = new SequenceOrder(seed: 5, epoch: 3, count);
        var visited = new bool[count];
        for (int i = 0; i < count; i++)
        {
            Assert.False(visited[order[i]]);
            visited[order[i]] = true;
        }
    }

    [Fact]
    public void Items_are_uniform_over_places_and_epochs_differ()
    {
        // Chi-square over 6 places x 6 items from 6,000 epochs: 30 degrees of freedom at most, 99.99% below 70.
        const int Count = 6;
        const int Epochs = 6000;
        var seen = new int[Count, Count];
        for (int epoch = 0; epoch < Epochs; epoch++)
        {
            var order = new SequenceOrder(seed: 11, epoch, Count);
            for (int i = 0; i < Count; i++)
            {
                seen[i, order[i]]++;
            }
        }

        double expected = Epochs / (double)Count;
        double chiSquare = seen.Cast<int>().Sum(n => (n - expected) * (n - expected) / expected);
        Assert.InRange(chiSquare, 1, 70);
    }

    [Fact]
    public void Neighbours_are_spread_over_a_large_range()
    {
        const long Count = 3_000_000_000_007;
        var order = new SequenceOrder(seed: 1, epoch: 0, Count);
        double[] items = [.. Enumerable.Range(0, 4000).Select(i => order[i] / (double)Count)];

        Assert.InRange(items.Average(), 0.48, 0.52);
        Assert.InRange(items.Zip(items.Skip(1), (a, b) => (a - 0.5) * (b - 0.5)).Average(), -0.006, 0.006);
        Assert.Equal(items.Length, items.Distinct().Count());
    }

    [Fact]
    public void Order_is_frozen_because_saved_runs_replay_it()
    {
        var order = new SequenceOrder(seed: 42, epoch: 7, count: 10);
        Assert.Equal(FrozenOrder, Enumerable.Range(0, 10).Select(i => order[i]));
    }

    private static readonly long[] FrozenOrder = [9, 0, 8, 4, 2, 6, 7, 5, 3, 1];
}
