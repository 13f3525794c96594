using Xunit;

namespace QApollo.Data.Tests.Batches;

/// <summary>The index through paper mode: blocks of 65,536 tokens, with documents that begin, end and span at their borders.</summary>
public sealed class DocumentIndexTests
{
    private const int End = 0;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Documents_are_found_wherever_block_borders_fall(int seed)
    {
        var random = new Random(seed);
        var tokens = new List<int>();
        var expected = new List<int>();
        while (tokens.Count < 400_000)
        {
            int length = random.Next(5) switch { 0 => 0, 1 => 1, 2 => random.Next(100), 3 => random.Next(70_000), _ => 65_536 - (tokens.Count % 65_536) - random.Next(2) };
            if (length > 0)
            {
                expected.Add(expected.Count + 1);
            }

            tokens.AddRange(Enumerable.Repeat(expected.Count, length));
            tokens.Add(End);
        }

        using TokenDataset data = TokenDataset.FromTokens(tokens.ToArray());
        var batches = new ValidationBatches(data, new BatchOptions(1, 8, 1_000_000, End, Mode: SequenceMode.Paper));

        Assert.Equal(expected.Count, batches.Count);
        int[] row = new int[8];
        int[] labels = new int[8];
        for (int i = 0; i < expected.Count; i++)
        {
            batches.Read(i, row, labels);
            Assert.Equal(expected[i], row[0]);
        }
    }
}
