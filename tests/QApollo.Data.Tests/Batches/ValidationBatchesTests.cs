using Xunit;

namespace QApollo.Data.Tests.Batches;

public sealed class ValidationBatchesTests
{
    [Fact]
    public void Every_token_but_the_first_is_a_target_once()
    {
        using TokenDataset data = Numbers(33);
        var batches = new ValidationBatches(data, Options(batch: 2, length: 5));

        Assert.Equal(7, batches.SequenceCount);
        Assert.Equal(4, batches.Count);
        Assert.Equal(Enumerable.Range(1, 32), Labels(batches).Where(label => label >= 0));
        Assert.Equal((4 * 10) - 32, Labels(batches).Count(label => label == BatchOptions.IgnoredLabel));
    }

    [Fact]
    public void A_limit_samples_the_whole_dataset_and_is_the_same_every_time()
    {
        using TokenDataset data = Numbers(1001);
        var batches = new ValidationBatches(data, Options(batch: 2, length: 10), maxTokens: 59);

        Assert.Equal(5, batches.SequenceCount);
        int[] targets = [.. Labels(batches).Where(label => label >= 0)];
        Assert.Equal([1, 201, 401, 601, 801], targets.Where((_, i) => i % 10 == 0));
        Assert.Equal(Labels(batches), Labels(new ValidationBatches(data, batches.Options, maxTokens: 59)));
    }

    [Fact]
    public void Data_shorter_than_a_sequence_is_scored_all_the_same()
    {
        using TokenDataset data = Numbers(4);
        Assert.Equal([1, 2, 3], Labels(new ValidationBatches(data, Options(batch: 3, length: 100))).Where(label => label >= 0));
        using TokenDataset none = Numbers(1);
        Assert.Throws<UsageException>(() => new ValidationBatches(none, Options(batch: 3, length: 100)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(10)]
    public void A_limit_below_one_sequence_holds_too(int limit)
    {
        using TokenDataset data = Numbers(101);
        Assert.Equal(Enumerable.Range(1, limit), Labels(new ValidationBatches(data, Options(batch: 2, length: 10), limit)).Where(label => label >= 0));
    }

    private static TokenDataset Numbers(int count) => TokenDataset.FromTokens(Enumerable.Range(0, count).ToArray());

    private static BatchOptions Options(int batch, int length) => new(batch, length, VocabularySize: 2000, EndOfDocument: 1999);

    private static List<int> Labels(ValidationBatches batches)
    {
        var all = new List<int>();
        int[] tokens = new int[batches.Options.BatchSize * batches.Options.SequenceLength];
        int[] labels = new int[tokens.Length];
        for (long i = 0; i < batches.Count; i++)
        {
            batches.Read(i, tokens, labels);
            for (int t = 0; t < tokens.Length; t++)
            {
                Assert.True(labels[t] == BatchOptions.IgnoredLabel || labels[t] == tokens[t] + 1);
            }

            all.AddRange(labels);
        }

        return all;
    }
}
