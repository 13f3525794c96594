using ParquetSharp;
using Xunit;
using Encoding = System.Text.Encoding;

namespace QApollo.Data.Tests.Preparation;

/// <summary>A preparation that was killed goes on, and ends with the bytes of one that was not.</summary>
public sealed class ResumeTests : IDisposable
{
    private const int Calls = 9020;

    private readonly PreparationFixture _fixture = new();
    private readonly SortedDictionary<string, byte[]> _whole;

    public ResumeTests()
    {
        _fixture.WriteDocuments("a.jsonl", 3000);
        _fixture.Write("b.txt", [.. "start "u8, 0xFF, .. Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 250_000).Select(i => $"line {i}\n")))]);
        _fixture.Write("c.txt.gz", TemporaryFolder.Gzip(new byte[2_500_000]));
        _fixture.WriteDocuments("d.jsonl", 6000);
        _whole = _fixture.Shards(Options with { OutputFolder = _fixture.File("whole") });
        Assert.True(_whole.Count > 10);
    }

    private string Output => _fixture.File("output");

    private PreparationOptions Options => _fixture.Options with { HeldOutFraction = 0.2, ShardTokens = 700_001, OutputFolder = Output };

    public void Dispose() => _fixture.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(20)]
    [InlineData(1_000_000)]
    public void Killed_again_and_again_the_result_is_the_same(int saveMilliseconds)
    {
        PreparationOptions options = Options with { SaveInterval = TimeSpan.FromMilliseconds(saveMilliseconds) };
        var random = new Random(saveMilliseconds);
        for (int kill = 0; kill < 6; kill++)
        {
            KillAt(random.Next(1, 4000), options);
        }

        AssertSame(_fixture.Shards(options));
    }

    [Fact]
    public void Work_that_was_saved_is_not_done_again()
    {
        // On one thread: of two, the one that reaches the call may be several chunks before the other.
        KillAt(Calls - 100, Options with { Threads = 1 });
        var tokenizer = new WatchedTokenizer(_ => { });
        PreparationProgress first = default;

        AssertSame(_fixture.Shards(Options, tokenizer, new ProgressCallback(p => first = first.Phase == PreparationPhase.Tokenizing ? first : p)));

        Assert.InRange(tokenizer.Calls, 1, 6000);
        Assert.True(first.ResumedBytes > 0 && first.ResumedTokens > 0 && first.ResumedTextBytes > 0);
        Assert.True(first.BytesDone >= first.ResumedBytes && first.MegabytesPerSecond >= 0);
    }

    [Fact]
    public void Inside_a_parquet_file_it_goes_on_too()
    {
        const int Rows = 6000;
        string file = _fixture.File("rows.parquet");
        using (var writer = new ParquetFileWriter(file, [new Column<string>("text")]))
        {
            foreach (int[] numbers in Enumerable.Range(0, Rows).Chunk(2500))
            {
                using RowGroupWriter rows = writer.AppendRowGroup();
                using LogicalColumnWriter<string?> column = rows.NextColumn().LogicalWriter<string?>();
                column.WriteBatch([.. numbers.Select(i => i % 1000 == 7 ? null : $"{i} {new string((char)('a' + (i % 26)), 1200)}")]);
            }

            writer.Close();
        }

        PreparationOptions options = Options with { Data = [file] };
        SortedDictionary<string, byte[]> whole = _fixture.Shards(options with { OutputFolder = _fixture.File("whole parquet") });
        KillAt(5500, options);
        var tokenizer = new WatchedTokenizer(_ => { });
        SortedDictionary<string, byte[]> resumed = _fixture.Shards(options, tokenizer);

        Assert.InRange(tokenizer.Calls, 400, 5000);
        Assert.Equal(whole.Keys, resumed.Keys);
        Assert.All(whole, shard => Assert.True(shard.Value.AsSpan().SequenceEqual(resumed[shard.Key]), shard.Key));
        Assert.Contains("\"skipped\": 6", Encoding.UTF8.GetString(resumed["dataset.json"]), StringComparison.Ordinal);
        Assert.Contains("row 8: null", Encoding.UTF8.GetString(resumed["dataset.json"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Cancelling_saves_the_position_and_the_next_call_goes_on()
    {
        using var cancellation = new CancellationTokenSource();
        var cancelling = new WatchedTokenizer(call =>
        {
            if (call == Calls - 100)
            {
                cancellation.Cancel();
            }
        });
        PreparationOptions rarely = Options with { SaveInterval = TimeSpan.FromHours(1) };
        Assert.ThrowsAny<OperationCanceledException>(() => _fixture.Prepare(rarely, cancelling, cancellation: cancellation.Token));
        Assert.True(File.Exists(Path.Combine(Output, "progress.json")));

        AssertSame(_fixture.Shards(rarely));
    }

    [Fact]
    public void A_kill_between_a_shard_s_name_and_the_record_of_it_is_repaired()
    {
        KillAt(Calls - 100, Options);
        string[] pending = Directory.GetFiles(Output, "*.bin.tmp");
        Assert.Equal(2, pending.Length);
        foreach (string file in pending)
        {
            File.Move(file, file[..^4]);
        }

        int next = Directory.GetFiles(Output, "train-*").Length;
        File.WriteAllText(Path.Combine(Output, $"train-{next:D6}.bin"), "not recorded");
        File.WriteAllText(Path.Combine(Output, $"train-{next + 1:D6}.bin.tmp"), "not recorded");

        AssertSame(_fixture.Shards(Options));
    }

    [Theory]
    [InlineData("train-000000.bin", 500)]
    [InlineData("train-000000.bin", -1)]
    [InlineData("progress.json", 100)]
    public void What_was_damaged_in_between_is_done_anew(string name, int length)
    {
        KillAt(Calls - 100, Options);
        string path = Path.Combine(Output, name);
        if (length < 0)
        {
            File.Delete(path);
        }
        else
        {
            using FileStream file = File.OpenWrite(path);
            file.SetLength(length);
        }

        AssertSame(_fixture.Shards(Options));
    }

    [Fact]
    public void Without_the_record_of_the_position_shards_in_a_named_folder_could_be_anyones()
    {
        KillAt(Calls - 100, Options);
        File.Delete(Path.Combine(Output, "progress.json"));
        string[] files = Directory.GetFiles(Output);

        UsageException error = Assert.Throws<UsageException>(() => _fixture.Prepare(Options));

        Assert.Contains("would be overwritten: choose another folder, or delete it", error.Message, StringComparison.Ordinal);
        Assert.Equal(files.Order(StringComparer.Ordinal), Directory.GetFiles(Output).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Without_the_record_of_the_position_shards_in_the_cache_are_done_anew()
    {
        PreparationOptions options = Options with { OutputFolder = null };
        KillAt(Calls - 100, options);
        File.Delete(Path.Combine(_fixture.Dataset, "progress.json"));

        AssertSame(_fixture.Shards(options));
    }

    [Fact]
    public void A_changed_record_of_the_position_is_not_believed()
    {
        KillAt(Calls - 100, Options);
        string path = Path.Combine(Output, "progress.json");
        byte[] saved = File.ReadAllBytes(path);
        int digit = Encoding.UTF8.GetString(saved).IndexOf("\"offset\": ", StringComparison.Ordinal) + 10;
        saved[digit] ^= 1;
        File.WriteAllBytes(path, saved);

        AssertSame(_fixture.Shards(Options));
    }

    [Fact]
    public void A_folder_with_other_unfinished_data_is_left_alone()
    {
        KillAt(Calls - 100, Options);

        UsageException error = Assert.Throws<UsageException>(() => _fixture.Prepare(Options with { SplitSeed = 5 }));

        Assert.Contains("unfinished", error.Message, StringComparison.Ordinal);
        AssertSame(_fixture.Shards(Options));
    }

    /// <summary>Ends as a kill does: nothing is flushed or recorded any more.</summary>
    private void KillAt(int call, PreparationOptions options)
    {
        var tokenizer = new WatchedTokenizer(current =>
        {
            if (current >= call)
            {
                throw new TimeZoneNotFoundException("killed");
            }
        });
        try
        {
            _fixture.Prepare(options, tokenizer).Dispose();
        }
        catch (TimeZoneNotFoundException)
        {
        }
    }

    private void AssertSame(SortedDictionary<string, byte[]> files)
    {
        Assert.Equal(_whole.Keys, files.Keys);
        Assert.All(_whole, file => Assert.True(file.Value.AsSpan().SequenceEqual(files[file.Key]), file.Key));
    }
}
