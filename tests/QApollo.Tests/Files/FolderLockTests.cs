using QApollo.Files;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Tests.Files;

public sealed class FolderLockTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void The_second_is_told_who_holds_it()
    {
        string path = folder.File("run");
        using (FolderLock.Take(path, "training"))
        {
            RunFailedException error = Assert.Throws<RunFailedException>(() => FolderLock.Take(path, "training"));
            Assert.Contains($"{path}: process {Environment.ProcessId} on {Environment.MachineName} (training since 2", error.Message, StringComparison.Ordinal);
        }

        using FolderLock again = FolderLock.Take(path, "training");
    }

    [Fact]
    public void A_folder_that_was_made_for_nothing_goes_and_one_with_files_stays()
    {
        FolderLock.Take(folder.File("run"), "training").Dispose();
        Assert.Empty(folder.Names);
        Directory.CreateDirectory(folder.File("mine"));
        FolderLock.Take(folder.File("mine"), "training").Dispose();
        using (FolderLock.Take(folder.File("run"), "training"))
        {
            File.WriteAllText(folder.File("run/x"), "x");
        }

        Assert.Equal([folder.File("run/x")], Directory.GetFileSystemEntries(folder.File("run")));
        Assert.Empty(Directory.GetFileSystemEntries(folder.File("mine")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("not JSON")]
    [InlineData("[]")]
    [InlineData("{\"process\":1}")]
    [InlineData("{\"process\":\"x\",\"host\":1,\"work\":2,\"since\":3}")]
    public void What_a_killed_process_left_is_no_obstacle_and_a_broken_record_no_error(string record)
    {
        string path = folder.File("run");
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, "lock"), "left");
        File.WriteAllText(Path.Combine(path, "lock.json"), record);
        using FolderLock held = FolderLock.Take(path, "training");
        File.WriteAllText(Path.Combine(path, "lock.json"), record);
        RunFailedException error = Assert.Throws<RunFailedException>(() => FolderLock.Take(path, "training"));
        Assert.Contains("another process is at work there", error.Message, StringComparison.Ordinal);
    }

    /// <summary>One that ends deletes the file that another one may just have opened.</summary>
    [Fact]
    public void Many_at_once_never_hold_it_together()
    {
        string path = folder.File("run");
        int holders = 0;
        int taken = 0;
        Parallel.For(0, 8, _ =>
        {
            for (int i = 0; i < 200; i++)
            {
                if (FileLock.TryTake(path) is { } held)
                {
                    Assert.Equal(1, Interlocked.Increment(ref holders));
                    Interlocked.Increment(ref taken);
                    Interlocked.Decrement(ref holders);
                    held.Dispose();
                }
            }
        });
        Assert.True(taken > 0);
    }
}
