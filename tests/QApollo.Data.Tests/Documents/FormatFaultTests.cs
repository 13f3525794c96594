using ParquetSharp;
using Xunit;
using Encoding = System.Text.Encoding;

namespace QApollo.Data.Tests.Documents;

/// <summary>Damaged, cut, encrypted and hostile .parquet and .zst: text or one clear line, never a crash.</summary>
public sealed class FormatFaultTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("rust-small-pages.parquet", 1)]
    [InlineData("rust-delta-bytes-v2.parquet", 2)]
    [InlineData("duckdb-zstd-v2.parquet", 3)]
    [InlineData("duckdb-snappy-v1.parquet", 4)]
    [InlineData("rust-lz4-hadoop.parquet", 5)]
    [InlineData("zstd-frames.jsonl.zst", 6)]
    public void Damaged_files_give_text_or_one_line(string name, int seed)
    {
        var random = new Random(seed);
        byte[] whole = File.ReadAllBytes(FormatFiles.File(name));
        int refused = 0;
        for (int i = 0; i < 150; i++)
        {
            byte[] damaged = random.Next(4) == 0 ? whole[..random.Next(1, whole.Length)] : [.. whole];
            for (int n = random.Next(4); n >= 0; n--)
            {
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            }

            _folder.Write(name, damaged);
            try
            {
                Read(name);
            }
            catch (InvalidFileException e)
            {
                refused++;
                Assert.StartsWith(_folder.File(name), e.Message, StringComparison.Ordinal);
                Assert.DoesNotContain('\n', e.Message);
            }
        }

        Assert.InRange(refused, 30, 150);
    }

    [Theory]
    [InlineData("duckdb-zstd-v1.parquet")]
    [InlineData("zstd-frames.jsonl.zst")]
    public void A_file_cut_anywhere_is_refused(string name)
    {
        byte[] whole = File.ReadAllBytes(FormatFiles.File(name));

        // The last 11 bytes of the .zst are a skippable frame: without it the text is whole.
        int whollyText = name.EndsWith(".zst", StringComparison.Ordinal) ? whole.Length - 11 : whole.Length;
        for (int length = 20; length < whollyText; length += 13)
        {
            _folder.Write(name, whole.AsSpan(0, length));
            if (name.EndsWith(".zst", StringComparison.Ordinal) && length < 250 && TryRead(name) is { } texts)
            {
                // Cut between two frames, nothing tells.
                Assert.All(texts, text => Assert.StartsWith("Row", text, StringComparison.Ordinal));
                continue;
            }

            InvalidFileException error = Assert.Throws<InvalidFileException>(() => Read(name));
            Assert.Contains("cut short", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void An_encrypted_file_is_called_that()
    {
        byte[] key = Encoding.ASCII.GetBytes("0123456789abcdef");
        using (var builder = new FileEncryptionPropertiesBuilder(key))
        using (FileEncryptionProperties encryption = builder.Build())
        using (var writing = new WriterPropertiesBuilder())
        {
            WriteByArrow("a.parquet", writing.Encryption(encryption), ["secret"], 1);
        }

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => Read("a.parquet"));
        Assert.Contains("is encrypted: write it without encryption", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Only_columns_encrypted_is_called_that_too()
    {
        byte[] key = Encoding.ASCII.GetBytes("0123456789abcdef");
        using (var builder = new FileEncryptionPropertiesBuilder(key))
        using (FileEncryptionProperties encryption = builder.SetPlaintextFooter().Build())
        using (var writing = new WriterPropertiesBuilder())
        {
            WriteByArrow("a.parquet", writing.Encryption(encryption), ["secret"], 1);
        }

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => Read("a.parquet"));
        Assert.Contains("is encrypted: write it without encryption", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Many_row_groups_come_in_order_whatever_decodes_them()
    {
        string[] texts = [.. Enumerable.Range(0, 40_000).Select(i => $"text {i} {new string('x', i % 200)}")];
        using (var writing = new WriterPropertiesBuilder())
        {
            WriteByArrow("a.parquet", writing.Compression(Compression.Zstd).Version(ParquetVersion.PARQUET_2_6), texts, rowsInGroup: 1234);
        }

        Assert.Equal(texts, Read("a.parquet"));
        Assert.Equal(texts, Rows(decoders: 1));
        Assert.Equal(texts, Rows(decoders: 7));

        string[] Rows(int decoders)
        {
            var read = new List<string>();
            using var reader = new ChunkReader(Corpus.Find([_folder.Path]), default, "text", decoders);
            while (reader.TryRead(out TextChunk? chunk))
            {
                int at = 0;
                foreach (int length in chunk.RowLengths)
                {
                    read.Add(Encoding.UTF8.GetString(chunk.Bytes.Slice(at, length)));
                    at += length;
                }

                chunk.Dispose();
            }

            return [.. read];
        }
    }

    [Theory]
    [InlineData("bomb.txt.zst")]
    [InlineData("bomb.txt.gz")]
    public void A_bomb_is_refused(string name)
    {
        using (FileStream file = File.Create(_folder.File(name)))
        using (Stream stream = name.EndsWith(".zst", StringComparison.Ordinal)
            ? new ZstdSharp.CompressionStream(file)
            : new System.IO.Compression.GZipStream(file, System.IO.Compression.CompressionLevel.Optimal))
        {
            byte[] nothing = new byte[1 << 20];
            for (int i = 0; i < 300; i++)
            {
                stream.Write(nothing);
            }
        }

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => ReadAndForget(name));
        Assert.Contains("compression bomb", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_bomb_of_parquet_is_refused()
    {
        string text = new('x', 1 << 20);
        using (var writing = new WriterPropertiesBuilder())
        {
            WriteByArrow("a.parquet", writing.Compression(Compression.Zstd), Enumerable.Repeat(text, 300), rowsInGroup: 300);
        }

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => ReadAndForget("a.parquet"));
        Assert.Contains("compression bomb", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public void Rows_without_bytes_do_not_pile_up(string? empty)
    {
        const int Count = 1_000_000;
        using (var writing = new WriterPropertiesBuilder())
        {
            WriteByArrow("a.parquet", writing.Compression(Compression.Zstd), [.. Enumerable.Repeat(empty, Count), "text"], rowsInGroup: Count + 1);
        }

        long rows = 0;
        using (var reader = new ChunkReader(Corpus.Find([_folder.Path]), default, "text", 2))
        {
            while (reader.TryRead(out TextChunk? chunk))
            {
                Assert.InRange(chunk.RowLengths.Count, 1, 70_000);
                rows += chunk.RowLengths.Count;
                chunk.Dispose();
            }
        }

        Assert.Equal(Count + 1, rows);
        Assert.Equal(["text"], Read("a.parquet"));
    }

    [Fact]
    public void A_text_as_long_as_no_line_may_be_is_skipped()
    {
        using (var writing = new WriterPropertiesBuilder())
        {
            WriteByArrow("a.parquet", writing.Compression(Compression.Zstd), ["a", new string('x', ChunkReader.MaxLineBytes + 1), "b"], rowsInGroup: 3);
        }

        var source = new DocumentSource(Corpus.Find([_folder.File("a.parquet")]));
        Assert.Equal(["a", "b"], source.Read().Select(text => Encoding.UTF8.GetString(text.Span)));
        Assert.EndsWith("row 2: longer than 64 MiB", source.FirstSkipped, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_of_nothing_but_such_texts_is_refused()
    {
        using (var writing = new WriterPropertiesBuilder())
        {
            WriteByArrow("a.parquet", writing.Compression(Compression.Zstd), [new string('x', ChunkReader.MaxLineBytes + 1)], rowsInGroup: 1);
        }

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => Read("a.parquet"));
        Assert.EndsWith("none of its 1 rows has text; the first is row 1: longer than 64 MiB", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_dictionary_of_zstd_is_asked_for_by_name()
    {
        byte[][] lines = [.. Enumerable.Range(0, 2000).Select(i => Encoding.UTF8.GetBytes($"{{\"text\":\"line {i} of {i * 7919 % 1000} lines\"}}\n"))];
        byte[] dictionary = ZstdSharp.DictBuilder.TrainFromBuffer(lines, 4096);
        using var compressor = new ZstdSharp.Compressor();
        compressor.LoadDictionary(dictionary);
        _folder.Write("a.jsonl.zst", compressor.Wrap(lines[5]));

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => Read("a.jsonl.zst"));

        Assert.Contains("is compressed with a dictionary: compress it again with", error.Message, StringComparison.Ordinal);
    }

    private void WriteByArrow(string name, WriterPropertiesBuilder properties, IEnumerable<string?> texts, int rowsInGroup)
    {
        using WriterProperties built = properties.Build();
        using var writer = new ParquetFileWriter(_folder.File(name), [new Column<string?>("text")], built);
        foreach (string?[] group in texts.Chunk(rowsInGroup))
        {
            using RowGroupWriter rows = writer.AppendRowGroup();
            using LogicalColumnWriter<string?> column = rows.NextColumn().LogicalWriter<string?>();
            column.WriteBatch(group);
        }

        writer.Close();
    }

    private void ReadAndForget(string name)
    {
        foreach (ReadOnlyMemory<byte> _ in new DocumentSource(Corpus.Find([_folder.File(name)])).Read())
        {
        }
    }

    private string[]? TryRead(string name)
    {
        try
        {
            return Read(name);
        }
        catch (InvalidFileException)
        {
            return null;
        }
    }

    private string[] Read(string name) =>
        [.. new DocumentSource(Corpus.Find([_folder.File(name)])).Read().Select(text => Encoding.UTF8.GetString(text.Span))];
}
