using QApollo.Batches;
using Xunit;

namespace QApollo.Data.Tests.Mixtures;

public sealed class MixtureBatchSourceTests
{
    private static readonly BatchOptions Options = new(BatchSize: 4, SequenceLength: 8, VocabularySize: 100_000, EndOfDocument: 0, Seed: 3);

    [Theory]
    [InlineData(WhenExhausted.Repeat)]
    [InlineData(WhenExhausted.Drop)]
    public void From_any_place_the_same_batches_follow(WhenExhausted rule)
    {
        MixtureBatchSource whole = Create(rule);
        var batches = new List<(DataPosition Position, int[] Tokens, int[] Labels)>();
        for (int i = 0; i < 60; i++)
        {
            DataPosition position = whole.Position;
            (int[] tokens, int[] labels) = Read(whole);
            batches.Add((position, tokens, labels));
        }

        foreach (int place in (int[])[0, 1, 7, 30, 59])
        {
            MixtureBatchSource resumed = Create(rule);
            resumed.Position = batches[place].Position;
            foreach ((DataPosition position, int[] tokens, int[] labels) in batches[place..])
            {
                Assert.Equal(position, resumed.Position);
                (int[] again, int[] labelsAgain) = Read(resumed);
                Assert.Equal(tokens, again);
                Assert.Equal(labels, labelsAgain);
            }
        }
    }

    [Fact]
    public void Each_epoch_of_a_source_visits_each_of_its_sequences_once()
    {
        MixtureBatchSource mixture = Create(WhenExhausted.Repeat);
        var firsts = new List<int>();
        for (int i = 0; i < 30; i++)
        {
            (int[] tokens, _) = Read(mixture);
            firsts.AddRange([tokens[0], tokens[8], tokens[16], tokens[24]]);
        }

        // Sources: 1 .. 161 (20 sequences) with weight 3, 50,001 .. (30 sequences) with weight 1.
        int[] small = [.. firsts.Where(token => token < 50_000)];
        Assert.Equal(90, small.Length);
        Assert.Equal(Enumerable.Range(0, 20).Select(i => 1 + (8 * i)), small[..20].Order());
        Assert.Equal(Enumerable.Range(0, 20).Select(i => 1 + (8 * i)), small[20..40].Order());
        Assert.NotEqual(small[..20], small[20..40]);
        Assert.Equal([("small", 4.5), ("large", 1.0)], mixture.Sources.Select(source => (source.Name, source.Epochs)));
    }

    [Fact]
    public void A_position_of_a_single_source_is_refused()
    {
        MixtureBatchSource mixture = Create(WhenExhausted.Repeat);

        UsageException error = Assert.Throws<UsageException>(() => mixture.Position = new DataPosition(2, 5));
        Assert.Contains("as one source", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_source_without_a_sequence_is_named()
    {
        UsageException error = Assert.Throws<UsageException>(
            () => new MixtureBatchSource([Part("small", 1, 1, 20), Part("tiny", 1, 1, 5)], Options, WhenExhausted.Repeat));
        Assert.StartsWith("tiny: the data has 5 tokens", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_description_tells_other_weights_sizes_and_rules_apart()
    {
        string[] descriptions =
        [
            Create(WhenExhausted.Repeat).Description,
            Create(WhenExhausted.Drop).Description,
            new MixtureBatchSource([Part("small", 3, 1, 161), Part("large", 2, 50_001, 241)], Options, WhenExhausted.Repeat).Description,
            new MixtureBatchSource([Part("small", 3, 1, 160), Part("large", 1, 50_001, 242)], Options, WhenExhausted.Repeat).Description,
        ];

        Assert.Equal(4, descriptions.Distinct().Count());
    }

    [Fact]
    public void Reading_allocates_nothing()
    {
        MixtureBatchSource mixture = Create(WhenExhausted.Repeat);
        int[] tokens = new int[32];
        int[] labels = new int[32];
        mixture.ReadNext(tokens, labels);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 50; i++)
        {
            mixture.ReadNext(tokens, labels);
            _ = mixture.Sources[1].Visited;
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void Validation_has_the_batches_of_each_source_in_its_share()
    {
        var validation = new MixtureValidation([Part("small", 3, 1, 161), Part("large", 1, 50_001, 241)], Options, maxTokens: 128);

        Assert.Equal([("small", 3L), ("large", 1L)], validation.Parts.Select(part => (part.Name, part.Batches.Count)));
        Assert.Equal(4, validation.Count);
        int[] tokens = new int[32];
        int[] labels = new int[32];
        validation.Read(3, tokens, labels);
        Assert.True(tokens[0] > 50_000);
        validation.Read(0, tokens, labels);
        Assert.Equal(1, tokens[0]);
    }

    private static MixtureBatchSource Create(WhenExhausted rule) =>
        new([Part("small", 3, 1, 161), Part("large", 1, 50_001, 241)], Options, rule);

    private static MixturePart Part(string name, double weight, int first, int count) =>
        new(name, weight, TokenDataset.FromTokens(Enumerable.Range(first, count).ToArray()));

    private static (int[] Tokens, int[] Labels) Read(MixtureBatchSource source)
    {
        int[] tokens = new int[32];
        int[] labels = new int[32];
        source.ReadNext(tokens, labels);
        return (tokens, labels);
    }
}
