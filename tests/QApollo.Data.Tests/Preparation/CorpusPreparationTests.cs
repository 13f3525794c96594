using QApollo.Data.Tokenizers;
using Xunit;

namespace QApollo.Data.Tests.Preparation;

public sealed class CorpusPreparationTests : IDisposable
{
    private readonly PreparationFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void Documents_become_tokens_in_order_each_with_its_end()
    {
        _fixture.Write("1.txt", "ab");
        _fixture.Write("2.jsonl", "{\"text\":\"c\"}\n{\"text\":\"\"}\n{\"text\":\"d\"}");

        using PreparedData data = _fixture.Prepare();

        Assert.Equal(['a', 'b', 256, 'c', 256, 'd', 256], PreparationFixture.Tokens(data.Train));
        Assert.Null(data.Validation);
        Assert.False(data.Reused);
        Assert.Contains("skipped 1 rows without text (first: ", Assert.Single(data.Notes), StringComparison.Ordinal);
        DatasetManifest manifest = data.Manifest!;
        Assert.Equal((3, 7, 4, 0), (manifest.Documents, manifest.Tokens, manifest.TextBytes, manifest.Replaced));
        Assert.Equal(TokenizerRecord.Of(new ByteTokenizer()), manifest.Tokenizer);
        Assert.Equal(["1.txt", "2.jsonl"], manifest.Sources.Select(source => Path.GetFileName(source.Path)));
        Assert.Equal("fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603", manifest.Sources[0].Sha256);
        Assert.Equal(["dataset.json", "train-000000.bin"], Directory.GetFiles(_fixture.Dataset).Select(Path.GetFileName).Order());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(8)]
    public void The_number_of_threads_changes_nothing(int threads)
    {
        _fixture.WriteDocuments("a.jsonl", 5000);
        _fixture.Write("b.txt", string.Concat(Enumerable.Range(0, 300_000).Select(i => $"line {i}\n")));
        PreparationOptions options = _fixture.Options with { HeldOutFraction = 0.05, ShardTokens = 1_000_000 };

        SortedDictionary<string, byte[]> one = _fixture.Shards(options with { Threads = 2, CacheFolder = _fixture.File("one") });
        SortedDictionary<string, byte[]> other = _fixture.Shards(options with { Threads = threads, CacheFolder = _fixture.File("other") });

        Assert.True(one.Count > 5);
        Assert.Equal(one.Keys, other.Keys);
        Assert.All(one, file => Assert.Equal(file.Value, other[file.Key]));
    }

    [Fact]
    public void The_same_content_and_tokenizer_are_prepared_once()
    {
        _fixture.WriteDocuments("a.jsonl", 50);
        var tokenizer = new WatchedTokenizer(_ => { });
        _fixture.Prepare(tokenizer: tokenizer).Dispose();
        int calls = tokenizer.Calls;
        Directory.Move(_fixture.Text, _fixture.File("moved"));

        using PreparedData again = _fixture.Prepare(_fixture.Options with { Data = [_fixture.File("moved")] }, tokenizer);

        Assert.True(again.Reused);
        Assert.Equal(calls, tokenizer.Calls);
        Assert.Equal(PreparationFixture.Documents(50), PreparationFixture.Documents(again.Train));
    }

    [Fact]
    public void Other_content_tokenizer_or_options_are_prepared_anew()
    {
        _fixture.WriteDocuments("a.jsonl", 50);
        PreparationOptions options = _fixture.Options;
        var folders = new HashSet<string>();

        void Differs(PreparationOptions changed, ITokenizer? tokenizer = null)
        {
            using PreparedData data = _fixture.Prepare(changed, tokenizer);
            Assert.False(data.Reused);
            Assert.True(folders.Add(data.Folder!));
        }

        Differs(options);
        Differs(options, new WideTokenizer());
        Differs(options with { HeldOutFraction = 0.2 });
        Differs(options with { HeldOutFraction = 0.2, SplitSeed = 1 });
        Differs(options with { ShardTokens = 5000 });
        _fixture.WriteDocuments("a.jsonl", 51);
        Differs(options);
        _fixture.WriteDocuments("a.jsonl", 52);
        Differs(options);
    }

    [Fact]
    public void Shards_have_a_bounded_size_and_read_as_one()
    {
        _fixture.WriteDocuments("a.jsonl", 200);
        int[] whole;
        using (PreparedData one = _fixture.Prepare())
        {
            whole = PreparationFixture.Tokens(one.Train);
        }

        using PreparedData data = _fixture.Prepare(_fixture.Options with { ShardTokens = 1009 });

        Assert.Equal((whole.Length + 1008) / 1009, data.Manifest!.Shards.Count);
        Assert.All(data.Manifest.Shards.SkipLast(1), shard => Assert.Equal(1009, shard.Tokens));
        Assert.Equal(whole, PreparationFixture.Tokens(data.Train));
        var random = new Random(1);
        for (int i = 0; i < 200; i++)
        {
            int start = random.Next(whole.Length);
            int[] part = new int[random.Next(Math.Min(3000, whole.Length - start) + 1)];
            data.Train.Read(start, part);
            Assert.Equal(whole[start..(start + part.Length)], part);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => data.Train.Read(whole.Length - 1, new int[2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => data.Train.Read(-1, new int[2]));
    }

    [Fact]
    public void Wide_vocabularies_use_llm_c_s_32_bit_shards()
    {
        _fixture.Write("a.txt", "ab");

        using PreparedData data = _fixture.Prepare(tokenizer: new WideTokenizer());

        Assert.Equal([70097, 70098, 70256], PreparationFixture.Tokens(data.Train));
        byte[] file = File.ReadAllBytes(Path.Combine(data.Folder!, "train-000000.bin"));
        Assert.Equal([20240801, 7, 3, 0], Enumerable.Range(0, 4).Select(i => BitConverter.ToInt32(file, 4 * i)));
        Assert.Equal([70097, 70098, 70256], Enumerable.Range(256, 3).Select(i => BitConverter.ToInt32(file, 4 * i)));
        Assert.Equal(1024 + 12, file.Length);
    }

    [Fact]
    public void Narrow_vocabularies_use_llm_c_s_16_bit_shards()
    {
        _fixture.Write("a.txt", "ab");

        byte[] file = _fixture.Shards(_fixture.Options)["train-000000.bin"];

        Assert.Equal([20240520, 1, 3, 0], Enumerable.Range(0, 4).Select(i => BitConverter.ToInt32(file, 4 * i)));
        Assert.Equal([97, 98, 256], Enumerable.Range(512, 3).Select(i => (int)BitConverter.ToUInt16(file, 2 * i)));
        Assert.Equal(1024 + 6, file.Length);
    }

    [Fact]
    public void Long_documents_keep_one_end_and_one_side()
    {
        _fixture.Write("a.txt", new string('x', 5_000_000));
        _fixture.WriteDocuments("b.jsonl", 20);

        using PreparedData data = _fixture.Prepare();

        Assert.Equal(21, data.Manifest!.Documents);
        string[] documents = PreparationFixture.Documents(data.Train);
        Assert.Equal(21, documents.Length);
        Assert.Equal(5_000_000, documents[0].Length);
    }

    [Fact]
    public void Replaced_sequences_are_counted_per_file_and_told()
    {
        _fixture.Write("a.txt", "good");
        _fixture.Write("b.txt", [(byte)'x', 0xFF, (byte)'y', 0xFF]);
        _fixture.Write("c.jsonl", "{\"text\":\"\\udc00\"}");

        using PreparedData data = _fixture.Prepare();

        Assert.Equal(3, data.Manifest!.Replaced);
        Assert.Equal([null, 2L, 1L], data.Manifest.Sources.Select(source => source.Replaced));
        Assert.Equal([null, 1L, 9L], data.Manifest.Sources.Select(source => source.FirstReplaced));
        string note = Assert.Single(data.Notes);
        Assert.Contains("3 invalid UTF-8 sequences", note, StringComparison.Ordinal);
        Assert.Contains("b.txt and 1 more files", note, StringComparison.Ordinal);
        InvalidFileException error = Assert.Throws<InvalidFileException>(() => _fixture.Prepare(_fixture.Options with { Strict = true }));
        Assert.Contains("b.txt: invalid UTF-8 at byte 1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_bad_row_does_not_end_a_preparation_but_is_told_and_kept()
    {
        _fixture.WriteDocuments("a.jsonl", 50);
        _fixture.Write("b.jsonl", "{\"text\":\"b\"}\n{\"text\":null}\n{\"text\":7}\n{\"tex");
        _fixture.Write("c.parquet", File.ReadAllBytes(Documents.FormatFiles.File("duckdb-snappy-v1.parquet")));

        foreach (bool reused in (bool[])[false, true])
        {
            using PreparedData data = _fixture.Prepare();

            Assert.Equal(reused, data.Reused);
            Assert.Equal(50 + 1 + Documents.FormatRows.Texts(60).Length, data.Manifest!.Documents);
            Assert.Equal([null, 3L, 60 - Documents.FormatRows.Texts(60).Length], data.Manifest.Sources.Select(source => source.Skipped));
            string note = Assert.Single(data.Notes);
            Assert.Contains($"skipped {3 + 60 - Documents.FormatRows.Texts(60).Length} rows without text", note, StringComparison.Ordinal);
            Assert.Contains("b.jsonl, line 2: null; and in 1 more files", note, StringComparison.Ordinal);
        }

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => _fixture.Prepare(_fixture.Options with { Strict = true }));
        Assert.Contains("b.jsonl: line 2: null", error.Message, StringComparison.Ordinal);
        Assert.Single(Directory.GetDirectories(_fixture.Cache));
        Assert.Throws<InvalidFileException>(() => _fixture.Prepare(_fixture.Options with { Strict = true, CacheFolder = _fixture.File("other") }));
        Assert.Empty(Directory.GetDirectories(_fixture.File("other")));
    }

    [Theory]
    [InlineData("x.txt", "\uFEFF", "no text")]
    [InlineData("x.jsonl", "{\"text\":\"\"}\n", "no text")]
    [InlineData("x.jsonl", "\n\n", "no text")]
    public void A_corpus_without_text_is_refused(string name, string content, string expected)
    {
        _fixture.Write(name, content);

        UsageException error = Assert.Throws<UsageException>(() => _fixture.Prepare());

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(_fixture.Cache));
    }

    [Fact]
    public void Broken_text_leaves_nothing_behind()
    {
        _fixture.WriteDocuments("a.jsonl", 5000);
        _fixture.Write("b.jsonl", "{\"text\":");

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => _fixture.Prepare(_fixture.Options with { ShardTokens = 10_000 }));

        Assert.Contains("b.jsonl: none of its 1 rows has text; the first is line 1: broken JSON", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(_fixture.Cache));
    }

    [Fact]
    public void A_cache_that_cannot_be_written_is_named()
    {
        _fixture.WriteDocuments("a.jsonl", 5);
        File.WriteAllText(_fixture.File("file"), "in the way");

        RunFailedException error = Assert.Throws<RunFailedException>(
            () => _fixture.Prepare(_fixture.Options with { CacheFolder = _fixture.File("file/cache") }));

        Assert.Contains(_fixture.File("file"), error.Message, StringComparison.Ordinal);
        Assert.Contains("cannot be written", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(3_600_000, false)]
    public void After_a_write_error_only_work_that_can_go_on_stays(int saveMilliseconds, bool stays)
    {
        _fixture.WriteDocuments("a.jsonl", 6000);
        string output = _fixture.File("output");
        PreparationOptions options = _fixture.Options with
        {
            OutputFolder = output,
            ShardTokens = 1_500_000,
            SaveInterval = TimeSpan.FromMilliseconds(saveMilliseconds),
        };
        string obstacle = Path.Combine(output, "train-000001.bin.tmp");
        Directory.CreateDirectory(obstacle);

        RunFailedException error = Assert.Throws<RunFailedException>(() => _fixture.Prepare(options));

        Assert.Contains("cannot be written", error.Message, StringComparison.Ordinal);
        Assert.Equal(stays, Directory.GetFiles(output).Length > 0);
        Directory.Delete(obstacle);
        using PreparedData data = _fixture.Prepare(options);
        Assert.Equal(PreparationFixture.Documents(6000), PreparationFixture.Documents(data.Train));
    }

    [Fact]
    public void Two_processes_do_not_prepare_the_same_data_at_once()
    {
        _fixture.WriteDocuments("a.jsonl", 5);
        string folder = _fixture.File("output");
        Directory.CreateDirectory(folder);
        using var other = new FileStream(Path.Combine(folder, "lock"), FileMode.Create, FileAccess.ReadWrite, FileShare.None);

        RunFailedException error = Assert.Throws<RunFailedException>(() => _fixture.Prepare(_fixture.Options with { OutputFolder = folder }));

        Assert.Contains("another process", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_of_somebody_else_are_not_written_over()
    {
        _fixture.WriteDocuments("a.jsonl", 5);
        string folder = _fixture.File("output");
        string shard = Path.Combine(folder, "train-000000.bin");
        Directory.CreateDirectory(folder);
        File.WriteAllText(shard, "mine");

        UsageException error = Assert.Throws<UsageException>(() => _fixture.Prepare(_fixture.Options with { OutputFolder = folder }));

        Assert.Contains("train-000000.bin: would be overwritten: choose another folder", error.Message, StringComparison.Ordinal);
        Assert.Equal([shard], Directory.GetFileSystemEntries(folder));
        Assert.Equal("mine", File.ReadAllText(shard));
    }

    [Fact]
    public void A_folder_of_ones_own_is_not_overwritten_with_other_data()
    {
        _fixture.WriteDocuments("a.jsonl", 5);
        PreparationOptions options = _fixture.Options with { OutputFolder = _fixture.File("output") };
        _fixture.Prepare(options).Dispose();
        using (PreparedData again = _fixture.Prepare(options))
        {
            Assert.True(again.Reused);
            Assert.Equal(_fixture.File("output"), again.Folder);
        }

        _fixture.WriteDocuments("a.jsonl", 6);
        UsageException error = Assert.Throws<UsageException>(() => _fixture.Prepare(options));
        Assert.Contains("other text", error.Message, StringComparison.Ordinal);
        Assert.Contains(_fixture.File("output"), error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("train-000000.bin")]
    [InlineData("validation-000003.bin")]
    [InlineData("train-000001.bin.tmp")]
    [InlineData("lock")]
    public void Files_of_ones_own_are_not_overwritten(string name)
    {
        _fixture.Write("a.jsonl", "{\"text\":\"a\"}\nbroken\n");
        string output = _fixture.File("output");
        Directory.CreateDirectory(output);
        string own = Path.Combine(output, name);
        File.WriteAllText(own, "mine");

        foreach (bool strict in (bool[])[false, true])
        {
            UsageException error = Assert.Throws<UsageException>(() => _fixture.Prepare(_fixture.Options with { OutputFolder = output, Strict = strict }));

            Assert.StartsWith(own, error.Message, StringComparison.Ordinal);
            Assert.Contains("choose another folder", error.Message, StringComparison.Ordinal);
            Assert.Equal("mine", File.ReadAllText(own));
            Assert.Single(Directory.GetFiles(output));
        }
    }

    [Fact]
    public void A_failed_preparation_leaves_the_folders_other_files()
    {
        _fixture.Write("a.jsonl", "{\"text\":\"a\"}\nbroken\n");
        string output = _fixture.File("output");
        Directory.CreateDirectory(output);
        string[] own = ["notes.txt", "train-notes.bin.txt", "train-0.bin", "my-train-000000.bin"];
        own = Array.ConvertAll(own, name => Path.Combine(output, name));
        Array.ForEach(own, path => File.WriteAllText(path, "mine"));

        Assert.Throws<InvalidFileException>(() => _fixture.Prepare(_fixture.Options with { OutputFolder = output, Strict = true }));

        Assert.Equal(own.Order(StringComparer.Ordinal), Directory.GetFiles(output).Order(StringComparer.Ordinal));
        _fixture.Prepare(_fixture.Options with { OutputFolder = output }).Dispose();
        Assert.All(own, path => Assert.Equal("mine", File.ReadAllText(path)));
    }

    [Fact]
    public void What_a_kill_before_the_first_save_left_in_a_folder_is_known_as_its_own()
    {
        _fixture.WriteDocuments("a.jsonl", 6000);
        PreparationOptions options = _fixture.Options with
        {
            OutputFolder = _fixture.File("output"),
            ShardTokens = 200_000,
            SaveInterval = TimeSpan.FromHours(1),
        };
        string killed = _fixture.File("killed");
        var copy = new ProgressCallback(report =>
        {
            if (report.Phase == PreparationPhase.Tokenizing && report.Tokens > 1_000_000 && !Directory.Exists(killed))
            {
                Directory.CreateDirectory(killed);
                foreach (string file in Directory.GetFiles(options.OutputFolder).Where(file => !file.EndsWith("lock", StringComparison.Ordinal)))
                {
                    File.Copy(file, Path.Combine(killed, Path.GetFileName(file)));
                }
            }
        });
        SortedDictionary<string, byte[]> whole = _fixture.Shards(options, progress: copy);
        Assert.Contains("train-000000.bin", Directory.GetFiles(killed).Select(Path.GetFileName));

        Assert.Equal(whole, _fixture.Shards(options with { OutputFolder = killed }));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_file_behind_a_link_that_changed_without_its_length_is_prepared_anew(bool linkToLink)
    {
        if (OperatingSystem.IsWindows())
        {
            // Making a link needs a privilege there.
            return;
        }

        string target = _fixture.File("target");
        File.WriteAllText(target, "old");
        File.SetLastWriteTimeUtc(target, DateTime.UtcNow.AddMinutes(-2));
        Directory.CreateDirectory(_fixture.Text);
        string between = linkToLink ? File.CreateSymbolicLink(_fixture.File("between"), target).FullName : target;
        File.CreateSymbolicLink(Path.Combine(_fixture.Text, "a.txt"), between);
        using (PreparedData data = _fixture.Prepare())
        {
            Assert.Equal(["old"], PreparationFixture.Documents(data.Train));
        }

        File.WriteAllText(target, "new");
        File.SetLastWriteTimeUtc(target, DateTime.UtcNow.AddMinutes(-1));
        using PreparedData again = _fixture.Prepare();
        Assert.Equal(["new"], PreparationFixture.Documents(again.Train));
    }

    [Theory]
    [InlineData(1 << 20)]
    [InlineData((1 << 20) - 1)]
    [InlineData(1 << 21)]
    public void A_file_without_text_is_refused_wherever_its_last_chunk_ends(int bytes)
    {
        // Few lines, so that it is the end that tells, which may lie on a chunk's border.
        _fixture.Write("a.jsonl", string.Concat(Enumerable.Repeat(new string('x', (1 << 16) - 1) + "\n", 32))[^bytes..]);
        string other = _fixture.Write("b.jsonl", "{\"text\":\"b\"}");

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => _fixture.Prepare());
        Assert.Contains("a.jsonl: none of its ", error.Message, StringComparison.Ordinal);
        error = Assert.Throws<InvalidFileException>(() => new DocumentSource(Corpus.Find([_fixture.Text])).Read().Count());
        Assert.Contains("a.jsonl: none of its ", error.Message, StringComparison.Ordinal);
        File.Delete(other);
        Assert.Throws<InvalidFileException>(() => new DocumentSource(Corpus.Find([_fixture.Text])).Read().Count());
    }

    [Fact]
    public void A_file_that_changes_between_hashing_and_reading_is_refused()
    {
        _fixture.Write("a.txt", "text");
        string late = _fixture.Write("b.txt", "old");
        File.SetLastWriteTimeUtc(late, DateTime.UtcNow.AddMinutes(-2));
        var change = new ProgressCallback(report =>
        {
            if (report.Phase == PreparationPhase.Hashing && report.BytesDone == report.BytesTotal)
            {
                File.WriteAllText(late, "new");
            }
        });

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => _fixture.Prepare(progress: change));

        Assert.StartsWith($"{late}: the file changed while it was read", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(_fixture.Cache));
    }

    [Fact]
    public void Progress_tells_bytes_tokens_and_speed()
    {
        _fixture.WriteDocuments("a.jsonl", 10_000);
        var reports = new List<PreparationProgress>();

        using PreparedData data = _fixture.Prepare(progress: new ProgressCallback(reports.Add));

        PreparationProgress last = reports.Last(report => report.Phase == PreparationPhase.Tokenizing);
        Assert.Equal(new FileInfo(Path.Combine(_fixture.Text, "a.jsonl")).Length, last.BytesTotal);
        Assert.Equal(last.BytesTotal, last.BytesDone);
        Assert.Equal((10_000, data.Train.Count, data.Manifest!.TextBytes), (last.Documents, last.Tokens, last.TextBytes));
        Assert.Equal(TimeSpan.Zero, last.Remaining);
        Assert.Equal(last.Tokens / last.Elapsed.TotalSeconds, last.TokensPerSecond, 1e-6 * last.TokensPerSecond);
        Assert.Equal(last.TextBytes / 1e6 / last.Elapsed.TotalSeconds, last.MegabytesPerSecond, 1e-6 * last.MegabytesPerSecond);
        Assert.Contains(reports, report => report.Phase == PreparationPhase.Hashing);
        Assert.Contains(reports, report => report.Phase == PreparationPhase.Verifying);
    }

    [Theory]
    [InlineData(-0.1)]
    [InlineData(0.6)]
    [InlineData(double.NaN)]
    public void An_impossible_fraction_is_refused(double fraction)
    {
        _fixture.WriteDocuments("a.jsonl", 5);
        Assert.Throws<UsageException>(() => _fixture.Prepare(_fixture.Options with { HeldOutFraction = fraction }));
    }

    [Fact]
    public void A_damaged_hash_cache_is_passed_over()
    {
        string path = _fixture.Write("a.txt", "text");
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddMinutes(-1));
        _fixture.Prepare().Dispose();
        string cache = Path.Combine(_fixture.Cache, "sources.json");
        string content = File.ReadAllText(cache);
        foreach (string damaged in (string[])["", "{", "null", "[]", content[..^10], "{\"version\":1,\"files\":null}", "{\"version\":1,\"files\":{\"" + path.Replace("\\", "\\\\", StringComparison.Ordinal) + "\":null}}"])
        {
            File.WriteAllText(cache, damaged);
            using PreparedData data = _fixture.Prepare();
            Assert.True(data.Reused);
            Assert.Equal(content, File.ReadAllText(cache));
        }
    }

    [Fact]
    public void A_file_changed_without_its_length_is_hashed_again()
    {
        string path = _fixture.Write("a.txt", "text");
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddMinutes(-1));
        _fixture.Prepare().Dispose();
        File.WriteAllText(path, "tent");

        using PreparedData data = _fixture.Prepare();

        Assert.Equal("tent", Assert.Single(PreparationFixture.Documents(data.Train)));
    }
}
