using System.Text;
using Xunit;

namespace QApollo.Data.Tests.Documents;

public sealed class DocumentSourceTests : IDisposable
{
    private const int PieceBytes = 1 << 20;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Each_format_gives_its_documents()
    {
        _folder.Write("1.txt", "one\r\ntwo\n");
        _folder.Write("2.md", "# Three\n");
        _folder.Write("3.jsonl", "{\"id\":1,\"text\":\"four\\n\"}\r\n\n  \n{\"text\":\"fünf\",\"more\":{\"text\":[1]}}");
        _folder.WriteGzip("4.txt.gz", "six");
        _folder.WriteGzip("5.jsonl.gz", "{\"text\":\"\"}\n{\"text\":\"seven\"}\n");
        _folder.Write("6.xml", "<doc><members><member name='T:A.Box'><summary>Eight.</summary></member></members></doc>");

        Assert.Equal(["one\r\ntwo\n", "# Three\n", "four\n", "fünf", "six", "seven", "Box\nEight.\n\n"], Read());
    }

    [Fact]
    public void The_field_can_be_named()
    {
        _folder.Write("a.jsonl", """{"text":"no","a\u0062c":"yes"}""");

        Assert.Equal(["yes"], Read(textField: "abc"));
    }

    [Fact]
    public void Of_a_field_given_twice_the_last_counts()
    {
        _folder.Write("a.jsonl", """{"text":"first","text":"last"}""");

        Assert.Equal(["last"], Read());
    }

    [Theory]
    [InlineData("a.txt", "\uFEFFabc", "abc")]
    [InlineData("a.jsonl", "\uFEFF{\"text\":\"abc\"}", "abc")]
    [InlineData("a.txt", "\uFEFF", null)]
    [InlineData("a.txt", "a\uFEFFb", "a\uFEFFb")]
    [InlineData("a.txt", "é", "é")]
    public void A_byte_order_mark_is_no_text(string name, string content, string? text)
    {
        _folder.Write(name, content);

        Assert.Equal(text is null ? [] : [text], Read());
    }

    [Fact]
    public void Long_documents_come_in_pieces_that_begin_lines()
    {
        var text = new StringBuilder();
        for (int i = 0; text.Length < 3_300_000; i++)
        {
            text.Append(i % 7 == 0 ? "\n\n" : $"line {i} äöü of many\n");
        }

        _folder.Write("a.txt", text.ToString());
        string[] pieces = Read();

        Assert.Equal(4, pieces.Length);
        Assert.Equal(text.ToString(), string.Concat(pieces));
        Assert.All(pieces, piece => Assert.True(Encoding.UTF8.GetByteCount(piece) <= PieceBytes));
        Assert.All(pieces[1..], piece => Assert.StartsWith("line", piece, StringComparison.Ordinal));
        Assert.All(pieces[..^1], piece => Assert.EndsWith("\n", piece, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("wörd ", " wörd")]
    [InlineData("日本語", "")]
    [InlineData("🦙", "🦙")]
    public void Without_lines_pieces_end_before_a_space_or_between_characters(string unit, string beginning)
    {
        string text = string.Concat(Enumerable.Repeat(unit, 2_200_000 / Encoding.UTF8.GetByteCount(unit)));
        _folder.Write("a.txt", text);
        string[] pieces = Read();

        Assert.Equal(3, pieces.Length);
        Assert.Equal(text, string.Concat(pieces));
        Assert.All(pieces[1..], piece => Assert.StartsWith(beginning, piece, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(PieceBytes - 1, 1)]
    [InlineData(PieceBytes, 1)]
    [InlineData(PieceBytes + 1, 2)]
    public void The_last_piece_is_never_empty(int length, int pieces)
    {
        _folder.Write("a.txt", new string('x', length));

        Assert.Equal(pieces, Read().Length);
    }

    [Fact]
    public void A_text_is_cut_equally_in_every_format()
    {
        string text = string.Concat(Enumerable.Range(0, 200_000).Select(i => $"Zeile {i}\n"));
        _folder.Write("1.txt", text);
        _folder.Write("2.jsonl", $"{{\"text\":{System.Text.Json.JsonSerializer.Serialize(text)}}}");
        string[] pieces = Read();

        Assert.True(pieces.Length > 2);
        Assert.Equal(pieces[..(pieces.Length / 2)], pieces[(pieces.Length / 2)..]);
    }

    [Fact]
    public void Lines_longer_than_a_chunk_are_whole()
    {
        string[] texts = [new string('a', 3_000_000), "b", new string('c', 1_500_000)];
        _folder.Write("a.jsonl", string.Join('\n', texts.Select(text => $"{{\"text\":\"{text}\"}}")));

        Assert.Equal(string.Concat(texts), string.Concat(Read()));
    }

    [Fact]
    public void A_line_without_end_is_refused_before_it_fills_the_memory()
    {
        _folder.Write("a.jsonl.gz", TemporaryFolder.Gzip([.. "{\"text\":\"a\"}\n"u8, .. new byte[70 << 20]]));

        Fails("a.jsonl.gz", "line 2 is longer than 64 MiB");
    }

    [Theory]
    [InlineData("{\"text\":\"a\"", "broken JSON")]
    [InlineData("{\"text\":\"a\"} x", "broken JSON")]
    [InlineData("{\"text\":\"a\"}{\"text\":\"b\"}", "broken JSON")]
    [InlineData("{\"text\":\"\\ud8\"}", "broken JSON")]
    [InlineData("{\"text\":\"a\nb\"}", "broken JSON")]
    [InlineData("[\"text\"]", "not a JSON object")]
    [InlineData("text", "broken JSON")]
    [InlineData("{\"body\":\"a\",\"id\":7}", "no field \"text\" (there are: body id)")]
    [InlineData("{}", "there are: none")]
    [InlineData("{\"text\":null}", "null")]
    [InlineData("{\"text\":\"\"}", "empty")]
    [InlineData("{\"text\":7}", "field \"text\" is no string")]
    [InlineData("{\"text\":[\"a\"]}", "field \"text\" is no string")]
    public void Rows_without_text_are_named_when_strict_and_skipped_otherwise(string line, string expected)
    {
        string path = _folder.Write("a.jsonl", $"{{\"text\":\"good\"}}\n\n{line}\n{{\"text\":\"good too\"}}\n");

        Fails("a.jsonl", "line 3: ", strict: true);
        Fails("a.jsonl", expected, strict: true);
        var source = new DocumentSource(Corpus.Find([_folder.Path]));
        Assert.Equal(["good", "good too"], source.Read().Select(text => Encoding.UTF8.GetString(text.Span)));
        Assert.Equal(line.Count(c => c == '\n') + 1, source.Skipped);
        Assert.StartsWith($"{path}, line 3: ", source.FirstSkipped, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_without_a_single_text_is_refused_unless_its_rows_are_null_or_empty()
    {
        _folder.Write("a.jsonl", "{\"body\":\"a\"}\n{\"body\":\"b\"}\n");
        Fails("a.jsonl", "none of its 2 rows has text; the first is line 1: no field \"text\" (there are: body)");

        _folder.Write("a.jsonl", "{\"text\":null}\n{\"text\":\"\"}\n");
        Assert.Empty(Read());
    }

    [Fact]
    public void A_wrong_field_is_told_long_before_the_end_of_a_large_file()
    {
        _folder.Write("a.jsonl", string.Concat(Enumerable.Repeat("{\"body\":\"abcdefgh abcdefgh abcdefgh abcdefgh abcdefgh\"}\n", 100_000)));

        Fails("a.jsonl", "none of its first ");
    }

    [Theory]
    [InlineData("a.jsonl")]
    [InlineData("a.jsonl.gz")]
    public void A_file_that_changes_while_it_is_read_is_refused(string name)
    {
        string text = string.Concat(Enumerable.Range(0, 100_000).Select(i => $"{{\"text\":\"line {i} of many\"}}\n"));
        string path = name.EndsWith(".gz", StringComparison.Ordinal) ? _folder.WriteGzip(name, text) : _folder.Write(name, text);
        using IEnumerator<ReadOnlyMemory<byte>> pieces = new DocumentSource(Corpus.Find([path])).Read().GetEnumerator();
        Assert.True(pieces.MoveNext());
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddHours(1));

        InvalidFileException error = Assert.Throws<InvalidFileException>(() =>
        {
            while (pieces.MoveNext())
            {
            }
        });

        Assert.Equal($"{path}: the file changed while it was read: run the command again when nothing writes to it", error.Message);
    }

    [Theory]
    [InlineData("a.txt")]
    [InlineData("a.jsonl")]
    [InlineData("a.jsonl.gz")]
    public void A_file_that_changed_since_it_was_found_is_refused(string name)
    {
        string path = name.EndsWith(".gz", StringComparison.Ordinal) ? _folder.WriteGzip(name, "{\"text\":\"a\"}") : _folder.Write(name, "{\"text\":\"a\"}");
        var source = new DocumentSource(Corpus.Find([path]));
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddHours(1));

        InvalidFileException error = Assert.Throws<InvalidFileException>(() => source.Read().Count());

        Assert.StartsWith($"{path}: the file changed while it was read", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Rows_of_null_before_the_first_text_are_no_reason_to_give_up()
    {
        _folder.Write("a.jsonl", "broken\n" + string.Concat(Enumerable.Repeat("{\"text\":null}\n", 200_000)) + "{\"text\":\"a\"}\n");

        Assert.Equal(["a"], Read());
    }

    [Fact]
    public void Line_numbers_count_on_over_chunks()
    {
        var text = new StringBuilder();
        for (int i = 0; i < 200_000; i++)
        {
            text.Append("{\"text\":\"0123456789\"}\n");
        }

        _folder.Write("a.jsonl", text.Append("{]").ToString());

        Fails("a.jsonl", "line 200001: ", strict: true);
    }

    [Theory]
    [InlineData("\uFEFFab\u00e9", 7, "byte 7 (0xFF)")]
    [InlineData("", 0, "byte 0 (0xFF)")]
    public void Strict_names_file_and_byte_of_invalid_text(string before, int offset, string expected)
    {
        byte[] bytes = [.. Encoding.UTF8.GetBytes(before), 0xFF, .. "after"u8];
        Assert.Equal(0xFF, bytes[offset]);
        _folder.Write("a.txt", bytes);

        Fails("a.txt", expected, strict: true);
        Assert.Equal($"{before.TrimStart('\uFEFF')}\uFFFDafter", Assert.Single(Read()));
    }

    [Fact]
    public void Strict_names_the_byte_in_json_too()
    {
        byte[] bytes = [.. "{\"text\":\"ok\"}\n{\"text\":\"a\\n"u8, 0xC3, .. "\"}"u8];
        _folder.Write("a.jsonl", bytes);
        Fails("a.jsonl", $"byte {bytes.AsSpan().IndexOf((byte)0xC3)} (0xC3)", strict: true);
        Assert.Equal(["ok", "a\n\uFFFD"], Read());

        _folder.Write("a.jsonl", "{\"text\":\"x\\ud800y\"}");
        Fails("a.jsonl", "byte 10", strict: true);
        Assert.Equal(["x\uFFFDy"], Read());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Utf16_is_refused_in_words(bool bigEndian)
    {
        var encoding = new UnicodeEncoding(bigEndian, byteOrderMark: true);
        _folder.Write("a.txt", [.. encoding.GetPreamble(), .. encoding.GetBytes("text")]);

        Fails("a.txt", "UTF-16");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(512)]
    [InlineData(65_530)]
    [InlineData(200_000)]
    public void Zeros_behind_a_gzip_file_are_padding(int zeros)
    {
        foreach (string text in (string[])["a", "text", "text that ends\n", new string('x', 100_000)])
        {
            _folder.Write("a.txt.gz", [.. TemporaryFolder.Gzip(System.Text.Encoding.UTF8.GetBytes(text)), .. new byte[zeros]]);
            Assert.Equal(text, string.Concat(Read()));
        }

        // The smallest member has itself zeros at its end.
        _folder.Write("a.txt.gz", [.. TemporaryFolder.Gzip("one"u8), .. TemporaryFolder.Gzip([]), .. new byte[zeros]]);
        Assert.Equal(["one"], Read());

        // But not in the middle, nor with anything behind them.
        _folder.Write("a.txt.gz", [.. TemporaryFolder.Gzip("one"u8), .. new byte[zeros], 1]);
        Assert.Contains("a.txt.gz", Assert.Throws<InvalidFileException>(() => Read()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Gzip_members_in_a_row_are_one_text()
    {
        _folder.Write("a.txt.gz", [.. TemporaryFolder.Gzip("one "u8), .. TemporaryFolder.Gzip("two"u8)]);

        Assert.Equal(["one two"], Read());
    }

    [Fact]
    public void Gzip_members_may_end_at_any_byte_of_the_buffers()
    {
        byte[] text = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 5000).Select(i => Philox(i))));
        int size = text.Length;
        while (TemporaryFolder.Gzip(text.AsSpan(0, size)).Length > 8170)
        {
            size -= 20;
        }

        var lengths = new HashSet<int>();
        for (; lengths.Count < 40; size++)
        {
            byte[] member = TemporaryFolder.Gzip(text.AsSpan(0, size));
            lengths.Add(member.Length);
            _folder.Write("a.txt.gz", member);
            Assert.Equal(size, Assert.Single(Read()).Length);
            _folder.Write("a.txt.gz", [.. member, .. TemporaryFolder.Gzip("!"u8)]);
            Assert.Equal(size + 1, Assert.Single(Read()).Length);
        }

        Assert.Contains(8192, lengths);

        static string Philox(int i) => QApollo.Quantization.Philox.Block(0, 0, (uint)i, 0, 0, 0).X0.ToString("X8", System.Globalization.CultureInfo.InvariantCulture);
    }

    [Fact]
    public void A_gzip_file_cut_short_anywhere_is_named()
    {
        var random = new Random(1);
        byte[] text = new byte[3000];
        random.NextBytes(text);
        byte[] whole = TemporaryFolder.Gzip(Encoding.ASCII.GetBytes(Convert.ToHexString(text)));
        foreach (int length in (int[])[1, 2, 9, 10, 11, 100, whole.Length / 2, whole.Length - 9, whole.Length - 8, whole.Length - 4, whole.Length - 1])
        {
            _folder.Write("a.txt.gz", whole.AsSpan(0, length));
            Fails("a.txt.gz", "damaged or cut short");
        }
    }

    [Fact]
    public void A_damaged_gzip_file_is_named()
    {
        byte[] whole = TemporaryFolder.Gzip("some text"u8);
        for (int trailer = 1; trailer <= 8; trailer++)
        {
            byte[] damaged = [.. whole];
            damaged[^trailer] ^= 1;
            _folder.Write("a.txt.gz", damaged);
            Fails("a.txt.gz", "damaged or cut short");
        }

        _folder.Write("a.txt.gz", "no gzip at all");
        Fails("a.txt.gz", "damaged or cut short");
    }

    [Fact]
    public void Progress_ends_at_the_size_of_the_files()
    {
        _folder.WriteGzip("1.txt.gz", new string('x', 5_000_000));
        _folder.Write("2.txt", new string('y', 2_500_000));
        var source = new DocumentSource(Corpus.Find([_folder.Path]));
        var reports = new Reports();

        foreach (ReadOnlyMemory<byte> piece in source.Read(reports))
        {
            Assert.False(piece.IsEmpty);
        }

        Assert.Equal(reports.Values.Order(), reports.Values);
        Assert.Equal(source.SourceBytes, reports.Values[^1]);
        Assert.True(reports.Values.Count >= 8);
    }

    private string[] Read(string textField = "text", bool strict = false) =>
        [.. new DocumentSource(Corpus.Find([_folder.Path]), textField, strict).Read().Select(text => Encoding.UTF8.GetString(text.Span))];

    private void Fails(string file, string expected, string textField = "text", bool strict = false)
    {
        InvalidFileException error = Assert.Throws<InvalidFileException>(() => Read(textField, strict));
        Assert.StartsWith(_folder.File(file), error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    private sealed class Reports : IProgress<long>
    {
        public List<long> Values { get; } = [];

        public void Report(long value) => Values.Add(value);
    }
}
