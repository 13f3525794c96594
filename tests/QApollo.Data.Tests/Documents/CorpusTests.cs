using Xunit;

namespace QApollo.Data.Tests.Documents;

public sealed class CorpusTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Folders_give_readable_files_in_ordinal_order()
    {
        foreach (string name in (string[])["b/z.txt", "b/A.md", "a.jsonl", "B.txt.gz", "c.JSONL.GZ", "b/doc.xml", "notes.pdf", "data.gz", ".hidden/x.txt"])
        {
            _folder.Write(name, "<doc/>");
        }

        _folder.Write("empty.txt", string.Empty);
        _folder.Write("project.xml", "<Project/>");
        _folder.Write("broken.xml", "no XML at all");

        IReadOnlyList<CorpusFile> found = Corpus.Find([_folder.Path]);

        Assert.Equal(
            ["B.txt.gz", "a.jsonl", "b/A.md", "b/doc.xml", "b/z.txt", "c.JSONL.GZ"],
            found.Select(file => Path.GetRelativePath(_folder.Path, file.Path).Replace('\\', '/')));
        Assert.Equal([true, false, false, false, false, true], found.Select(file => file.Compression == FileCompression.Gzip));
        Assert.Equal(
            [DocumentFormat.Text, DocumentFormat.JsonLines, DocumentFormat.Text, DocumentFormat.XmlDocumentation, DocumentFormat.Text, DocumentFormat.JsonLines],
            found.Select(file => file.Format));
        Assert.All(found, file => Assert.Equal(6, file.Length));
        Assert.Contains($"passed over 5 files that are empty or no text (first: {_folder.File("broken.xml")})", Assert.Single(Corpus.Notes([_folder.Path])), StringComparison.Ordinal);
        Assert.Empty(Corpus.Notes([_folder.File("a.jsonl")]));
    }

    [Fact]
    public void Arguments_keep_their_order_and_a_file_counts_once()
    {
        string a = _folder.Write("x/a.txt", "a");
        string b = _folder.Write("x/b.txt", "b");

        Assert.Equal([b, a], Corpus.Find([b, _folder.File("x"), a]).Select(file => file.Path));
    }

    [Theory]
    [InlineData("en/c4-train.00000-of-01024.json.gz", "en/c4-validation.00000-of-00008.json.gz", "README.md")]
    [InlineData("train/0.jsonl", "val.jsonl", "test.jsonl")]
    [InlineData("data/wiki_train_1.jsonl", "data/wiki_dev_1.jsonl", "data/wiki_test_1.jsonl")]
    [InlineData("train00.txt", "valid00.txt", "test00.txt")]
    [InlineData("data/train-0.parquet", "data/validation-0.parquet", "data/test-0.parquet")]
    public void Splits_are_known_by_the_words_of_their_names(string train, string validation, string test)
    {
        foreach (string name in (string[])[train, validation, test, "contrain.txt", "latest-evaluations.txt", "trainer/devices.txt"])
        {
            _folder.Write(name, "text");
        }

        CorpusSelection selection = Corpus.Select([_folder.Path]);

        Assert.Equal([_folder.File(validation)], selection.Validation.Select(file => file.Path));
        Assert.Equal(
            new[] { train, "contrain.txt", "latest-evaluations.txt", "trainer/devices.txt" }.Order(StringComparer.Ordinal),
            selection.Text.Select(file => Path.GetRelativePath(_folder.Path, file.Path).Replace('\\', '/')));
        Assert.Equal([_folder.File(test)], selection.LeftOut.Select(file => file.Path));
    }

    [Fact]
    public void Links_to_folders_are_not_followed()
    {
        if (OperatingSystem.IsWindows())
        {
            // Making a link needs a privilege there.
            return;
        }

        string file = _folder.Write("x/a.txt", "a");
        Directory.CreateSymbolicLink(_folder.File("x/loop"), _folder.Path);
        File.CreateSymbolicLink(_folder.File("x/b.txt"), file);

        Assert.Equal(["a.txt", "b.txt"], Corpus.Find([_folder.Path]).Select(found => Path.GetFileName(found.Path)));
    }

    [Fact]
    public void Only_regular_files_are_text()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        string text = _folder.Write("text.txt", "a text");
        File.CreateSymbolicLink(_folder.File("zero.txt"), "/dev/zero");
        File.CreateSymbolicLink(_folder.File("dangling.txt"), _folder.File("nowhere"));
        File.CreateSymbolicLink(_folder.File("link.txt"), text);
        using (var made = System.Diagnostics.Process.Start("mkfifo", [_folder.File("pipe.txt")]))
        {
            made.WaitForExit();
        }

        Assert.Equal(["link.txt", "text.txt"], Corpus.Find([_folder.Path]).Select(found => Path.GetFileName(found.Path)));
        Assert.All(Corpus.Find([_folder.Path]), file => Assert.Equal(6, file.Length));
        foreach (string name in (string[])["zero.txt", "pipe.txt"])
        {
            Assert.Contains("no regular file", Assert.Throws<UsageException>(() => Corpus.Find([_folder.File(name)])).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_run_beside_its_text_gives_no_text()
    {
        _folder.Write("a.txt", "text");
        _folder.Write("run/run.json", "{}");
        _folder.Write("run/metrics.jsonl", "{\"step\":1}\n");
        _folder.Write("other/metrics.jsonl", "{\"text\":\"somebody's text\"}\n");

        Assert.Equal(["a.txt", "metrics.jsonl"], Corpus.Find([_folder.Path]).Select(found => Path.GetFileName(found.Path)));
        Assert.Contains("no file with text", Assert.Throws<UsageException>(() => Corpus.Find([_folder.File("run")])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("missing.txt", "no such file or folder")]
    [InlineData("paper.pdf", "give .parquet, or .txt, .md, .jsonl")]
    [InlineData("noextension", "give .parquet, or .txt, .md, .jsonl")]
    [InlineData("empty.txt", "is empty")]
    [InlineData("none", "no file with text")]
    [InlineData("bad\0name.txt", "data:")]
    public void What_cannot_be_read_is_said_in_one_line(string name, string expected)
    {
        _folder.Write("paper.pdf", "x");
        _folder.Write("noextension", "x");
        _folder.Write("empty.txt", string.Empty);
        _folder.Write("none/picture.png", "x");

        UsageException error = Assert.Throws<UsageException>(() => Corpus.Find([_folder.File(name)]));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void No_path_at_all_is_refused() => Assert.Throws<UsageException>(() => Corpus.Find([]));
}
