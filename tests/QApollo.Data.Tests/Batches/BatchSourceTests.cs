using QApollo.Batches;
using Xunit;

namespace QApollo.Data.Tests.Batches;

public sealed class BatchSourceTests
{
    private const int End = 999;

    [Fact]
    public void Labels_are_the_next_tokens_and_an_epoch_covers_every_window_once()
    {
        using TokenDataset data = Numbers(50);
        var source = new BatchSource(data, Options(batch: 2, length: 6));
        Assert.Equal(8, source.SequencesPerEpoch);

        var starts = new List<int>();
        for (int batch = 0; batch < 4; batch++)
        {
            (int[] tokens, int[] labels) = Next(source);
            Assert.Equal(tokens.Select(token => token + 1), labels);
            starts.AddRange([tokens[0], tokens[6]]);
            Assert.Equal(Enumerable.Range(tokens[6], 6), tokens[6..]);
        }

        Assert.Equal([0, 6, 12, 18, 24, 30, 36, 42], starts.Order());
        Assert.NotEqual(starts.Order(), starts);
        Assert.Equal(new DataPosition(1, 0), source.Position);
    }

    [Fact]
    public void Position_restores_the_exact_batches_across_epochs()
    {
        using TokenDataset data = Numbers(100);
        var source = new BatchSource(data, Options(batch: 4, length: 7));
        var positions = new List<DataPosition>();
        var batches = new List<int[]>();
        for (int i = 0; i < 12; i++)
        {
            positions.Add(source.Position);
            batches.Add(Next(source).Tokens);
        }

        Assert.Equal(3, source.Position.Epoch);
        for (int i = 0; i < 12; i++)
        {
            var resumed = new BatchSource(data, Options(batch: 4, length: 7)) { Position = positions[i] };
            Assert.Equal(batches[i], Next(resumed).Tokens);
        }
    }

    [Fact]
    public void Seed_and_epoch_change_the_order()
    {
        using TokenDataset data = Numbers(400);
        var one = new BatchSource(data, Options(batch: 40, length: 10) with { BatchSize = 39 });
        var two = new BatchSource(data, one.Options with { Seed = 2 });
        int[] first = Next(one).Tokens;
        Assert.NotEqual(first, Next(two).Tokens);
        Assert.NotEqual(first, Next(one).Tokens);
    }

    [Fact]
    public void Paper_mode_cuts_each_document_ends_it_and_ignores_the_padding()
    {
        using TokenDataset data = TokenDataset.FromTokens((int[])[1, 2, End, 3, 4, 5, 6, 7, End, End, 8, End]);
        var source = new BatchSource(data, Options(batch: 3, length: 4) with { Mode = SequenceMode.Paper });

        (int[] tokens, int[] labels) = Next(source);

        string[] rows = [.. Enumerable.Range(0, 3).Select(r => $"{string.Join(' ', tokens[(r * 4)..][..4])} | {string.Join(' ', labels[(r * 4)..][..4])}").Order()];
        Assert.Equal(
            [
                "1 2 999 999 | 2 999 -100 -100",
                "3 4 5 999 | 4 5 999 -100",
                "8 999 999 999 | 999 -100 -100 -100",
            ],
            rows);
        Assert.Equal(3, source.SequencesPerEpoch);
    }

    [Fact]
    public void Masked_windows_are_the_packed_ones_without_targets_across_documents()
    {
        using TokenDataset data = TokenDataset.FromTokens((int[])[1, 2, End, 3, 4, 5, 6, 7, End, End, 8, 9, End]);
        var packed = new BatchSource(data, Options(batch: 3, length: 4));
        var masked = new BatchSource(data, Options(batch: 3, length: 4) with { Mode = SequenceMode.Masked });

        (int[] expectedTokens, int[] expectedLabels) = Next(packed);
        (int[] tokens, int[] labels) = Next(masked);

        Assert.Equal(expectedTokens, tokens);
        Assert.Equal(expectedLabels.Select((label, i) => tokens[i] == End ? -100 : label), labels);
        Assert.Equal(3, labels.Count(label => label == -100));
        Assert.Equal(3, labels.Count(label => label == End));
    }

    [Fact]
    public void Data_shorter_than_a_sequence_says_what_would_do()
    {
        using TokenDataset data = Numbers(40);
        UsageException error = Assert.Throws<UsageException>(() => new BatchSource(data, Options(batch: 1, length: 40)));
        Assert.Contains("40 tokens", error.Message, StringComparison.Ordinal);
        Assert.Contains("--seq-len 39", error.Message, StringComparison.Ordinal);
        Assert.Equal(1, new BatchSource(data, Options(batch: 1, length: 39)).SequencesPerEpoch);

        using TokenDataset empty = Numbers(0);
        Assert.Throws<UsageException>(() => new BatchSource(empty, Options(batch: 1, length: 4)));
        Assert.Throws<UsageException>(() => new BatchSource(empty, Options(batch: 1, length: 4) with { Mode = SequenceMode.Paper }));
    }

    [Fact]
    public void Ids_outside_the_vocabulary_are_refused()
    {
        using TokenDataset data = Numbers(20);
        var source = new BatchSource(data, Options(batch: 1, length: 4) with { VocabularySize = 10, EndOfDocument = 9 });
        RunFailedException error = Assert.Throws<RunFailedException>(() =>
        {
            for (int i = 0; i < 4; i++)
            {
                Next(source);
            }
        });
        Assert.Contains("vocabulary has 10", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-1, 0)]
    [InlineData(0, -1)]
    [InlineData(0, 8)]
    public void Positions_outside_the_data_are_refused(int epoch, long index)
    {
        using TokenDataset data = Numbers(50);
        var source = new BatchSource(data, Options(batch: 1, length: 6));
        Assert.Throws<UsageException>(() => source.Position = new DataPosition(epoch, index));
    }

    [Theory]
    [InlineData(SequenceMode.Packed)]
    [InlineData(SequenceMode.Paper)]
    public void A_micro_batch_allocates_nothing(SequenceMode mode)
    {
        int[] tokens = new int[4 * 16];
        int[] labels = new int[4 * 16];
        using TokenDataset data = TokenDataset.FromTokens(Enumerable.Range(0, 1000).Select(i => i % 10 == 9 ? End : i).ToArray());
        var source = new BatchSource(data, Options(batch: 4, length: 16) with { Mode = mode, VocabularySize = 1001 });
        source.ReadNext(tokens, labels);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            source.ReadNext(tokens, labels);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.True(source.Position.Epoch > 0);
    }

    [Fact]
    public void The_fingerprint_is_that_of_the_tokens_alone()
    {
        int[] ids = [.. Enumerable.Range(0, 9000)];
        string fingerprint = Of(ids);
        Assert.Equal(32, fingerprint.Length);
        Assert.Equal(fingerprint, Of([.. ids]));
        foreach (int changed in (int[])[0, 4095, 4096, 8999])
        {
            int[] other = [.. ids];
            other[changed]++;
            Assert.NotEqual(fingerprint, Of(other));
        }

        Assert.NotEqual(fingerprint, Of(ids[..^1]));

        static string Of(int[] tokens)
        {
            using TokenDataset data = TokenDataset.FromTokens(tokens);
            return new BatchSource(data, new BatchOptions(1, 8, 10_000, 0)).DataFingerprint;
        }
    }

    private static TokenDataset Numbers(int count) => TokenDataset.FromTokens(Enumerable.Range(0, count).ToArray());

    private static BatchOptions Options(int batch, int length) => new(batch, length, VocabularySize: 1000, EndOfDocument: End, Seed: 1);

    private static (int[] Tokens, int[] Labels) Next(BatchSource source)
    {
        int[] tokens = new int[source.Options.BatchSize * source.Options.SequenceLength];
        int[] labels = new int[tokens.Length];
        source.ReadNext(tokens, labels);
        return (tokens, labels);
    }
}
