using Xunit;

namespace QApollo.Data.Tests.Preparation;

/// <summary>Shards that exist: llm.c's, and prepared folders with every kind of damage.</summary>
public sealed class TokenShardFilesTests : IDisposable
{
    private readonly PreparationFixture _fixture = new();

    public TokenShardFilesTests() => Directory.CreateDirectory(_fixture.Text);

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void Shards_of_llm_c_are_read()
    {
        Shard("fineweb_train_000002.bin", [4, 5]);
        Shard("fineweb_train_000001.bin", [1, 2, 3]);
        Shard("fineweb_val_000000.bin", [70_000, 7], wide: true);

        using PreparedData data = _fixture.Prepare(_fixture.Options with { HeldOutFraction = 0.3 });

        Assert.Equal([1, 2, 3, 4, 5], PreparationFixture.Tokens(data.Train));
        Assert.Equal([70_000, 7], PreparationFixture.Tokens(data.Validation));
        Assert.True(data.Reused);
        Assert.Null(data.Manifest);
        Assert.Empty(data.Notes);
    }

    [Fact]
    public void Without_a_validation_shard_the_end_is_held_out_and_that_is_told()
    {
        string second = Shard("b.bin", Enumerable.Range(0, 50));
        string first = Shard("a.bin", Enumerable.Range(50, 50));

        using PreparedData data = _fixture.Prepare(_fixture.Options with { Data = [second, first], HeldOutFraction = 0.1 });

        Assert.Equal(Enumerable.Range(0, 90), PreparationFixture.Tokens(data.Train));
        Assert.Equal(Enumerable.Range(90, 10), PreparationFixture.Tokens(data.Validation));
        Assert.Contains("10.0 %", Assert.Single(data.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void A_validation_shard_alone_is_data()
    {
        string shard = Shard("tiny_val.bin", [1, 2]);

        using PreparedData data = _fixture.Prepare(_fixture.Options with { Data = [shard] });

        Assert.Equal([1, 2], PreparationFixture.Tokens(data.Train));
    }

    [Fact]
    public void Shards_and_text_are_not_mixed()
    {
        string shard = Shard("a.bin", [1, 2]);
        File.WriteAllText(_fixture.File("b.txt"), "text");

        UsageException error = Assert.Throws<UsageException>(() => _fixture.Prepare(_fixture.Options with { Data = [shard, _fixture.File("b.txt")] }));

        Assert.Contains("b.txt", error.Message, StringComparison.Ordinal);
        Assert.Contains("mixed", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_prepared_folder_goes_alone()
    {
        _fixture.Write("a.txt", "text");
        string prepared = _fixture.File("prepared");
        _fixture.Prepare(_fixture.Options with { OutputFolder = prepared }).Dispose();

        UsageException error = Assert.Throws<UsageException>(() => _fixture.Prepare(_fixture.Options with { Data = [prepared, _fixture.File("a.txt")] }));

        Assert.Contains("goes alone", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_may_lie_beside_a_bin_file_of_another_kind_and_notes_beside_shards()
    {
        _fixture.Write("a.txt", "text");
        _fixture.Write("model.bin", "no shard");
        using (PreparedData text = _fixture.Prepare())
        {
            Assert.Equal("text", Assert.Single(PreparationFixture.Documents(text.Train)));
        }

        Shard("b.bin", [1, 2]);
        File.Delete(Path.Combine(_fixture.Text, "model.bin"));
        using PreparedData shards = _fixture.Prepare();
        Assert.Equal([1, 2], PreparationFixture.Tokens(shards.Train));
    }

    [Fact]
    public void Shards_are_read_without_allocation()
    {
        Shard("a.bin", Enumerable.Range(0, 1000));
        Shard("b.bin", Enumerable.Range(1000, 1000), wide: true);
        using PreparedData data = _fixture.Prepare();
        var source = new BatchSource(data.Train, new BatchOptions(4, 16, 2000, 1999));
        int[] tokens = new int[64];
        int[] labels = new int[64];
        source.ReadNext(tokens, labels);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            source.ReadNext(tokens, labels);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal(tokens.Select(token => token + 1), labels);
    }

    [Theory]
    [InlineData(0, "not a token shard")]
    [InlineData(4, "version")]
    [InlineData(8, "damaged or cut short")]
    [InlineData(11, "damaged or cut short")]
    public void Damaged_headers_are_named(int flippedByte, string expected)
    {
        string shard = Shard("a.bin", [1, 2, 3]);
        byte[] bytes = File.ReadAllBytes(shard);
        bytes[flippedByte] ^= 0x80;
        File.WriteAllBytes(shard, bytes);

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => _fixture.Prepare());

        Assert.StartsWith(shard, error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    [InlineData(1023)]
    [InlineData(1024)]
    [InlineData(1027)]
    [InlineData(1031)]
    public void Shards_of_a_wrong_length_are_named(int length)
    {
        string shard = Shard("a.bin", [1, 2, 3]);
        using (FileStream file = File.OpenWrite(shard))
        {
            file.SetLength(length);
        }

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => _fixture.Prepare());
        Assert.StartsWith(shard, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_shard_that_is_cut_short_while_it_is_read_is_an_error(bool wide)
    {
        string shard = Shard("a.bin", Enumerable.Range(0, 10_000), wide);
        using PreparedData data = _fixture.Prepare();
        int[] ids = new int[100];
        data.Train.Read(9_000, ids);
        using (var file = new FileStream(shard, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            file.SetLength(2_000);
        }

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => data.Train.Read(9_000, ids));
        Assert.Equal($"{shard}: became shorter while it was read", error.Message);
    }

    [Fact]
    public void A_shard_named_directly_is_compared_with_the_description_beside_it()
    {
        string folder = PrepareDocuments();
        string shard = Path.Combine(folder, "train-000000.bin");
        using (PreparedData whole = _fixture.Prepare(_fixture.Options with { Data = [shard], HeldOutFraction = 0 }))
        {
            Assert.True(whole.Train.Count > 100);
        }

        byte[] bytes = File.ReadAllBytes(shard);
        bytes[^2] ^= 1;
        File.WriteAllBytes(shard, bytes);
        InvalidFileException error = Assert.Throws<InvalidFileException>(() => _fixture.Prepare(_fixture.Options with { Data = [shard] }));
        Assert.StartsWith(shard, error.Message, StringComparison.Ordinal);
        Assert.Contains("checksum", error.Message, StringComparison.Ordinal);

        // A shard that the description does not name is somebody else's.
        string other = Path.Combine(folder, "other.bin");
        File.WriteAllBytes(other, bytes);
        _fixture.Prepare(_fixture.Options with { Data = [other] }).Dispose();
    }

    [Fact]
    public void A_prepared_folder_is_data_for_its_tokenizer_only()
    {
        string folder = PrepareDocuments();

        using PreparedData data = _fixture.Prepare(_fixture.Options with { Data = [folder], HeldOutFraction = 0.2 });

        Assert.True(data.Reused);
        Assert.Equal(300, data.Manifest!.Documents);
        Assert.Equal(HeldOutKind.Documents, data.Manifest.HeldOut);
        Assert.Equal(300, PreparationFixture.Documents(data.Train).Length + PreparationFixture.Documents(data.Validation).Length);
        UsageException error = Assert.Throws<UsageException>(() => _fixture.Prepare(_fixture.Options with { Data = [folder] }, new WideTokenizer()));
        Assert.Contains("bytes", error.Message, StringComparison.Ordinal);
        Assert.Contains("wide", error.Message, StringComparison.Ordinal);
        Assert.Contains(folder, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("train-000001.bin", 0)]
    [InlineData("train-000001.bin", 9)]
    [InlineData("train-000001.bin", 500)]
    [InlineData("train-000002.bin", 1024)]
    [InlineData("validation-000000.bin", 2000)]
    public void A_flipped_bit_is_found_and_the_file_named(string name, int position)
    {
        string folder = PrepareDocuments();
        Flip(Path.Combine(folder, name), position, 0x10);

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => _fixture.Prepare(_fixture.Options with { Data = [folder] }));

        Assert.StartsWith(Path.Combine(folder, name), error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Hashes_are_checked_on_demand()
    {
        string folder = PrepareDocuments();
        Flip(Path.Combine(folder, "train-000001.bin"), 3000, 1);

        _fixture.Prepare(_fixture.Options with { Data = [folder], VerifyHashes = false }).Dispose();
        Assert.Throws<InvalidFileException>(() => _fixture.Prepare(_fixture.Options with { Data = [folder], VerifyHashes = true }));
    }

    [Fact]
    public void A_missing_or_exchanged_shard_is_named()
    {
        string folder = PrepareDocuments();
        string shard = Path.Combine(folder, "train-000000.bin");
        string last = Directory.GetFiles(folder, "train-*").Order().Last();
        File.Copy(last, shard, overwrite: true);
        InvalidFileException exchanged = Assert.Throws<InvalidFileException>(() => _fixture.Prepare(_fixture.Options with { Data = [folder], VerifyHashes = false }));
        Assert.StartsWith(shard, exchanged.Message, StringComparison.Ordinal);

        File.Delete(shard);
        RunFailedException missing = Assert.Throws<RunFailedException>(() => _fixture.Prepare(_fixture.Options with { Data = [folder] }));
        Assert.StartsWith(shard, missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_newer_version_is_refused_in_words()
    {
        string folder = PrepareDocuments();
        string path = Path.Combine(folder, "dataset.json");
        File.WriteAllText(path, """{"format":"qapollo-tokens","version":2,"everything":"else"}""");

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => _fixture.Prepare(_fixture.Options with { Data = [folder] }));

        Assert.Contains("newer version", error.Message, StringComparison.Ordinal);
        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"format":"qapollo-tokens"}""")]
    [InlineData("""{"format":"qapollo-tokens","version":1}""")]
    [InlineData("""{"format":"qapollo-tokens","version":"1"}""")]
    [InlineData("""{"format":"qapollo-tokens","version":1.5}""")]
    [InlineData("""{"format":7,"version":1}""")]
    [InlineData("""{"format":"other","version":1}""")]
    public void A_description_that_is_none_is_refused(string json)
    {
        string folder = PrepareDocuments();
        string path = Path.Combine(folder, "dataset.json");
        File.WriteAllText(path, json);

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => _fixture.Prepare(_fixture.Options with { Data = [folder] }));

        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Random_damage_to_the_description_never_passes_and_never_crashes()
    {
        string folder = PrepareDocuments();
        string path = Path.Combine(folder, "dataset.json");
        byte[] whole = File.ReadAllBytes(path);
        var random = new Random(7);
        for (int i = 0; i < 1000; i++)
        {
            byte[] json = [.. whole];
            int at = random.Next(json.Length);
            byte before = json[at];
            json[at] = (byte)random.Next(0x20, 0x7F);
            if (before == json[at] || (IsSpace(before) && IsSpace(json[at])))
            {
                continue;
            }

            File.WriteAllBytes(path, i % 10 == 0 ? json[..at] : json);
            Assert.Throws<InvalidFileException>(() => _fixture.Prepare(_fixture.Options with { Data = [folder], VerifyHashes = false }));
        }

        static bool IsSpace(byte b) => b is (byte)' ' or (byte)'\n' or (byte)'\r';
    }

    [Fact]
    public void Random_shards_never_crash()
    {
        var random = new Random(8);
        string path = Shard("a.bin", Enumerable.Range(0, 100));
        byte[] whole = File.ReadAllBytes(path);
        int read = 0;
        for (int i = 0; i < 1000; i++)
        {
            byte[] bytes = [.. whole];
            for (int n = random.Next(3); n >= 0; n--)
            {
                bytes[random.Next(random.Next(2) == 0 ? 12 : bytes.Length)] = (byte)random.Next(256);
            }

            File.WriteAllBytes(path, random.Next(4) == 0 ? bytes[..random.Next(bytes.Length)] : bytes);
            try
            {
                using PreparedData data = _fixture.Prepare();
                Assert.Equal(100, PreparationFixture.Tokens(data.Train).Length);
                read++;
            }
            catch (InvalidFileException)
            {
            }
        }

        Assert.InRange(read, 100, 900);
    }

    private static void Flip(string path, int position, byte mask)
    {
        byte[] bytes = File.ReadAllBytes(path);
        bytes[position] ^= mask;
        File.WriteAllBytes(path, bytes);
    }

    private string PrepareDocuments()
    {
        _fixture.WriteDocuments("a.jsonl", 300);
        using PreparedData data = _fixture.Prepare(_fixture.Options with { HeldOutFraction = 0.2, ShardTokens = 20_000 });
        return data.Folder!;
    }

    /// <summary>A file as llm.c's scripts write it, by code of its own.</summary>
    private string Shard(string name, IEnumerable<int> tokens, bool wide = false)
    {
        int[] ids = [.. tokens];
        string path = Path.Combine(_fixture.Text, name);
        using var writer = new BinaryWriter(File.Create(path));
        int[] header = new int[256];
        (header[0], header[1], header[2]) = wide ? (20240801, 7, ids.Length) : (20240520, 1, ids.Length);
        foreach (int value in header)
        {
            writer.Write(value);
        }

        foreach (int id in ids)
        {
            if (wide)
            {
                writer.Write((uint)id);
            }
            else
            {
                writer.Write((ushort)id);
            }
        }

        return path;
    }
}
