using QApollo.Data.Tokenizers.Models;
using Xunit;

namespace QApollo.Data.Tests.Tokenizers.Models;

public class BpeScratchTests
{
    /// <summary>Short words are scanned and long ones go through a heap: both must do what the definition says.</summary>
    [Theory]
    [InlineData(1, 12)]
    [InlineData(30, 45)]
    [InlineData(100, 400)]
    public void Merges_as_defined(int shortest, int longest)
    {
        var random = new Random(longest);
        for (int round = 0; round < 400; round++)
        {
            bool tied = round % 2 == 0;
            var merges = RandomMerges(random, tied);
            var pairs = new PairTable(merges.Count);
            foreach (((int left, int right), (int rank, int merged)) in merges)
            {
                pairs.Add(left, right, rank, merged);
            }

            int[] word = [.. Enumerable.Range(0, random.Next(shortest, longest)).Select(_ => random.Next(3))];
            var scratch = new BpeScratch();
            foreach (int symbol in word)
            {
                scratch.Add(symbol);
            }

            scratch.Merge(pairs);
            Assert.Equal(Naive(word, merges), scratch.Symbols.ToArray());
        }
    }

    [Fact]
    public void A_later_merge_of_the_same_pair_counts()
    {
        var pairs = new PairTable(2);
        pairs.Add(0, 0, 5, 7);
        pairs.Add(0, 0, 6, 8);
        Assert.Equal((6UL << 32) | 8, pairs.Find(0, 0));
        Assert.Equal(PairTable.None, pairs.Find(0, 1));
    }

    private static Dictionary<(int, int), (int Rank, int Merged)> RandomMerges(Random random, bool tied)
    {
        var merges = new Dictionary<(int, int), (int, int)>();
        for (int i = 0; i < 40; i++)
        {
            int symbols = 3 + i;
            merges.TryAdd((random.Next(symbols), random.Next(symbols)), (tied ? random.Next(8) : i, 3 + i));
        }

        return merges;
    }

    private static int[] Naive(int[] word, Dictionary<(int, int), (int Rank, int Merged)> merges)
    {
        var symbols = word.ToList();
        while (true)
        {
            int best = -1;
            for (int i = 0; i + 1 < symbols.Count; i++)
            {
                if (merges.TryGetValue((symbols[i], symbols[i + 1]), out var merge)
                    && (best < 0 || merge.Rank < merges[(symbols[best], symbols[best + 1])].Rank))
                {
                    best = i;
                }
            }

            if (best < 0)
            {
                return [.. symbols];
            }

            symbols[best] = merges[(symbols[best], symbols[best + 1])].Merged;
            symbols.RemoveAt(best + 1);
        }
    }
}
