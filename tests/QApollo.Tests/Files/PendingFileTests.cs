using QApollo.Files;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Tests.Files;

public sealed class PendingFileTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void The_name_appears_with_the_commit_and_replaces_what_was_there()
    {
        File.WriteAllText(folder.File("a"), "old and longer");
        using (var file = new PendingFile(folder.File("a")))
        {
            file.Write("ne"u8);
            file.Write("w"u8);
            Assert.Equal("old and longer", File.ReadAllText(folder.File("a")));
            file.Commit();
        }

        Assert.Equal("new", File.ReadAllText(folder.File("a")));
        Assert.Equal(["a"], folder.Names);
    }

    [Fact]
    public void Without_a_commit_nothing_stays()
    {
        File.WriteAllText(folder.File("a"), "old");
        using (var file = new PendingFile(folder.File("a"), bytes: 100))
        {
            file.Write("new"u8);
            Assert.Equal(["a", "a.tmp"], folder.Names);
        }

        Assert.Equal("old", File.ReadAllText(folder.File("a")));
        Assert.Equal(["a"], folder.Names);
    }

    [Fact]
    public void What_a_killed_run_left_is_overwritten()
    {
        File.WriteAllText(folder.File("a.tmp"), "left by a killed run, and longer");
        using (var file = new PendingFile(folder.File("a")))
        {
            file.Write("new"u8);
            file.Commit();
        }

        Assert.Equal("new", File.ReadAllText(folder.File("a")));
        Assert.Equal(["a"], folder.Names);
    }

    [Fact]
    public void What_another_process_still_writes_is_left_alone()
    {
        using var living = new PendingFile(folder.File("a"));
        var failure = Assert.Throws<RunFailedException>(() => new PendingFile(folder.File("a")));
        Assert.StartsWith(folder.File("a") + ": cannot be written: ", failure.Message, StringComparison.Ordinal);
        living.Write("living"u8);
        living.Commit();
        Assert.Equal("living", File.ReadAllText(folder.File("a")));
    }

    [Fact]
    public void A_planted_link_is_not_followed()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        File.WriteAllText(folder.File("target"), "precious");
        File.CreateSymbolicLink(folder.File("a.tmp"), folder.File("target"));
        File.CreateSymbolicLink(folder.File("b.tmp"), folder.File("not there"));
        File.CreateSymbolicLink(folder.File("b"), folder.File("target"));
        PendingFile.WriteAll(folder.File("a"), "new"u8);
        PendingFile.WriteAll(folder.File("b"), "newer"u8);

        Assert.Equal("precious", File.ReadAllText(folder.File("target")));
        Assert.Equal("new", File.ReadAllText(folder.File("a")));
        Assert.Equal("newer", File.ReadAllText(folder.File("b")));
        Assert.Equal(["a", "b", "target"], folder.Names);
    }

    [Fact]
    public void A_name_that_cannot_be_taken_is_one_clear_line_and_nothing_stays()
    {
        Directory.CreateDirectory(folder.File("a"));
        using (var file = new PendingFile(folder.File("a")))
        {
            var failure = Assert.Throws<RunFailedException>(file.Commit);
            Assert.StartsWith(folder.File("a") + ": cannot be written: ", failure.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', failure.Message);
        }

        Assert.Equal(["a"], folder.Names);
    }

    [Fact]
    public void A_folder_that_does_not_exist_is_one_clear_line()
    {
        string path = folder.File("missing/a");
        var failure = Assert.Throws<RunFailedException>(() => new PendingFile(path));

        Assert.StartsWith(path + ": cannot be written: ", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', failure.Message);
    }

    [Fact]
    public void A_size_that_no_disk_has_fails_before_anything_is_written()
    {
        Assert.Throws<RunFailedException>(() => new PendingFile(folder.File("a"), bytes: 1L << 60));
        Assert.Empty(folder.Names);
    }
}
