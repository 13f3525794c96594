using Xunit;

namespace QApollo.Cli.Tests.Commands;

/// <summary>`qapollo cache` from the outside, and the limit of its size.</summary>
public class CacheCommandTests
{
    [Fact]
    public void Datasets_are_listed_and_those_not_used_for_longest_go_first()
    {
        using var tiny = new TinyRun();
        string cache = Path.Combine(tiny.Folder, "cache");
        string first = Prepare(tiny, cache, "first");
        string second = Prepare(tiny, cache, "second");
        string foreign = Path.Combine(cache, new string('a', 32));
        Directory.CreateDirectory(foreign);
        Directory.SetLastWriteTimeUtc(first, DateTime.UtcNow.AddDays(-3));
        Directory.SetLastWriteTimeUtc(second, DateTime.UtcNow.AddDays(-2));

        string list = QApolloProcess.Run("cache", "list", "--cache-dir", cache).Output;
        Assert.StartsWith("2 datasets, ", list, StringComparison.Ordinal);
        Assert.True(list.IndexOf("second.txt", StringComparison.Ordinal) < list.IndexOf("first.txt", StringComparison.Ordinal), list);

        // Used again, the older one is the newer one.
        Prepare(tiny, cache, "first");
        long bytes = Directory.GetFiles(first).Sum(file => new FileInfo(file).Length);
        ProcessResult clean = QApolloProcess.Run("cache", "clean", "--cache-dir", cache, "--max-size", $"{bytes}B");
        Assert.True(clean.ExitCode == 0, clean.Error);
        Assert.StartsWith("removed 1 dataset, ", clean.Output, StringComparison.Ordinal);
        Assert.Equal((true, false, true), (Directory.Exists(first), Directory.Exists(second), Directory.Exists(foreign)));

        Assert.Equal(0, QApolloProcess.Run("cache", "clean", "--cache-dir", cache).ExitCode);
        Assert.Equal((false, true), (Directory.Exists(first), Directory.Exists(foreign)));
        Assert.StartsWith("0 datasets", QApolloProcess.Run("cache", "list", "--cache-dir", cache).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Preparing_makes_room_and_says_so_but_leaves_what_was_used_today()
    {
        using var tiny = new TinyRun();
        string cache = Path.Combine(tiny.Folder, "cache");
        string old = Prepare(tiny, cache, "old");
        string recent = Prepare(tiny, cache, "recent");
        Directory.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddDays(-3));

        File.WriteAllText(Path.Combine(tiny.Folder, "new.txt"), File.ReadAllText(tiny.TextPath) + "new");
        ProcessResult result = QApolloProcess.Run("data", "prepare", "--data", Path.Combine(tiny.Folder, "new.txt"), "--cache-dir", cache, "--cache-limit", "1KiB");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("note: the cache had more than 1.00 KiB: 1 dataset that was not used for longest, ", result.Output, StringComparison.Ordinal);
        Assert.Equal((false, true), (Directory.Exists(old), Directory.Exists(recent)));
    }

    [Fact]
    public void A_size_without_a_unit_is_refused()
    {
        ProcessResult result = QApolloProcess.Run("cache", "clean", "--cache-dir", Path.Combine(Path.GetTempPath(), "qapollo-none"), "--max-size", "7");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--max-size: '7' is not valid; it takes a size such as 16GiB", result.Error, StringComparison.Ordinal);
    }

    /// <returns>The dataset's folder.</returns>
    private static string Prepare(TinyRun tiny, string cache, string name)
    {
        string path = Path.Combine(tiny.Folder, name + ".txt");
        File.WriteAllText(path, File.ReadAllText(tiny.TextPath) + name);
        ProcessResult result = QApolloProcess.Run("data", "prepare", "--data", path, "--cache-dir", cache);
        Assert.True(result.ExitCode == 0, result.Error);
        const string Line = "shards: ";
        return result.Output.Split('\n').Single(line => line.StartsWith(Line, StringComparison.Ordinal))[Line.Length..].Trim();
    }
}
