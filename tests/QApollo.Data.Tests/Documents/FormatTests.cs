using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using QApollo.TestSupport.Goldens;
using Xunit;

namespace QApollo.Data.Tests.Documents;

/// <summary>Files of other writers (tools/reference/formats/make.mjs; snappy, content_column, list_text, no_text, empty, rows and cut are of a third hand) give the right texts.</summary>
public sealed class FormatTests
{
    /// <summary>Of the texts of the third hand's files, joined by newlines, as DuckDB computes it.</summary>
    private const string ThirdHandSha256 = "916615858a68741b6f101c796ded3cf2f7b95db6e5cbc382431b9178658b9b15";

    public static TheoryData<string> FilesOfRows =>
    [
        .. Directory.EnumerateFiles(FormatFiles.Folder)
            .Select(path => Path.GetFileName(path))
            .Where(name => name.Contains("-v", StringComparison.Ordinal) || name is "rust-lz4-hadoop.parquet" or "rust-small-pages.parquet" or "zstd-frames.jsonl.zst" or "zstd-long-27.jsonl.zst")
            .Order(StringComparer.Ordinal),
    ];

    [Fact]
    public void There_are_the_files_that_are_meant() => Assert.Equal(21, FilesOfRows.Count);

    [Theory]
    [MemberData(nameof(FilesOfRows))]
    public void Each_codec_encoding_and_framing_gives_the_texts(string name)
    {
        DocumentSource source = FormatFiles.Source(name);

        Assert.Equal(FormatRows.Texts(60), Read(source));
        Assert.Equal(60 - FormatRows.Texts(60).Length, source.Skipped);
        Assert.EndsWith($"{name}, {(name.EndsWith(".zst", StringComparison.Ordinal) ? "line" : "row")} 5: empty", source.FirstSkipped, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("snappy.parquet", "text", 2)]
    [InlineData("content_column.parquet", "content", 0)]
    [InlineData("rows.jsonl.zst", "text", 2)]
    public void Files_of_a_third_hand_give_the_texts(string name, string field, int skipped)
    {
        DocumentSource source = FormatFiles.Source(name, field);
        string[] texts = Read(source);

        Assert.Equal(298, texts.Length);
        Assert.Equal(skipped, source.Skipped);
        Assert.Equal(ThirdHandSha256, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', texts)))));
    }

    [Fact]
    public void Row_groups_are_decoded_in_order()
    {
        Assert.Equal(
            Enumerable.Range(0, 5000).Select(i => string.Create(CultureInfo.InvariantCulture, $"same {i % 3}")),
            Read(FormatFiles.Source("duckdb-dictionary.parquet")));
    }

    [Fact]
    public void Bytes_without_a_type_are_text_and_long_texts_come_in_pieces()
    {
        Assert.Equal(Enumerable.Range(0, 30).Select(i => $"blob {i}"), Read(FormatFiles.Source("duckdb-blob.parquet")));
        string[] pieces = Read(FormatFiles.Source("duckdb-large-text.parquet"));
        string text = string.Concat(Enumerable.Repeat("long text ", 300_000));
        Assert.Equal(text + "0" + text + "1", string.Concat(pieces));
        Assert.Equal(6, pieces.Length);
    }

    [Fact]
    public void A_field_of_a_struct_can_be_named()
    {
        Assert.Equal(Enumerable.Range(0, 30).Select(i => $"inner {i}"), Read(FormatFiles.Source("duckdb-struct.parquet", "meta.text")));
        Assert.Equal(Enumerable.Range(0, 30).Select(i => $"body {i}"), Read(FormatFiles.Source("duckdb-struct.parquet", "body")));
    }

    [Fact]
    public void Invalid_utf8_of_parquet_is_replaced_or_refused()
    {
        Assert.Equal(["A\uFFFDB", "A\uFFFDB", "A\uFFFDB"], Read(FormatFiles.Source("duckdb-invalid-utf8.parquet")));
        InvalidFileException error = Assert.Throws<InvalidFileException>(() => Read(FormatFiles.Source("duckdb-invalid-utf8.parquet", strict: true)));
        Assert.Contains("invalid UTF-8 in row 1 (0xFF)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_table_without_rows_has_no_text() => Assert.Empty(Read(FormatFiles.Source("empty.parquet")));

    [Theory]
    [InlineData("duckdb-snappy-v1.parquet", "row 5: empty")]
    [InlineData("zstd-frames.jsonl.zst", "line 5: empty")]
    [InlineData("snappy.parquet", "null")]
    public void Strict_refuses_rows_without_text(string name, string expected)
    {
        InvalidFileException error = Assert.Throws<InvalidFileException>(() => Read(FormatFiles.Source(name, strict: true)));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains("--strict", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no_text.parquet", "no column \"text\" (there are: id, url); name the texts' column with --text-field")]
    [InlineData("list_text.parquet", "column \"text\" has lists, not texts (there are: id)")]
    [InlineData("duckdb-integers.parquet", "column \"text\" has Int32, not texts (there are: no others)", "Int64")]
    [InlineData("duckdb-struct.parquet", "no column \"text\" (there are: body, meta.text, meta.n)")]
    [InlineData("cut.jsonl.zst", "the Zstandard file is damaged or cut short")]
    [InlineData("zstd-long-31.jsonl.zst", "its Zstandard window is larger than 128 MiB: compress it again with")]
    public void What_cannot_be_read_is_said_in_one_line_with_the_cure(string name, string expected, string orThis = "")
    {
        InvalidFileException error = Assert.Throws<InvalidFileException>(() => Read(FormatFiles.Source(name)));

        Assert.StartsWith(FormatFiles.File(name), error.Message, StringComparison.Ordinal);
        Assert.True(
            error.Message.Contains(expected, StringComparison.Ordinal) || (orThis.Length > 0 && error.Message.Contains(orThis, StringComparison.Ordinal)),
            error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }

    private static string[] Read(DocumentSource source) => [.. source.Read().Select(text => Encoding.UTF8.GetString(text.Span))];
}

/// <summary>The rows of the files that tools/reference/formats/make.mjs writes.</summary>
internal static class FormatRows
{
    public static string? Row(int i) =>
        i % 17 == 5 ? null : i % 13 == 4 ? string.Empty : $"Row {i} – ünïcode 猫 {string.Concat(Enumerable.Repeat("abc ", i % 9))}";

    public static string[] Texts(int rows) => [.. Enumerable.Range(0, rows).Select(Row).Where(text => !string.IsNullOrEmpty(text)).Select(text => text!)];
}

/// <summary>Where the files are.</summary>
internal static class FormatFiles
{
    public static string Folder { get; } = Path.Combine(GoldenFolder.RepositoryRoot, "tests", "QApollo.Data.Tests", "Documents", "Formats");

    public static string File(string name) => Path.Combine(Folder, name);

    public static DocumentSource Source(string name, string field = "text", bool strict = false) => new(Corpus.Find([File(name)]), field, strict);
}
