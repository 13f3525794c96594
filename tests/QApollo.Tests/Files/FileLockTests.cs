using QApollo.Files;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Tests.Files;

public sealed class FileLockTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void One_holds_it_at_a_time_and_nothing_stays()
    {
        string path = folder.File("lock");
        using (FileLock? first = FileLock.TryTake(path))
        {
            Assert.NotNull(first);
            Assert.Null(FileLock.TryTake(path));
        }

        Assert.Empty(folder.Names);
        FileLock.TryTake(path)!.Dispose();
    }

    [Fact]
    public void What_a_killed_owner_left_binds_nobody()
    {
        File.WriteAllText(folder.File("lock"), "left");
        FileLock.TryTake(folder.File("lock"))!.Dispose();
        Assert.Empty(folder.Names);
        Assert.ThrowsAny<IOException>(() => FileLock.TryTake(folder.File("missing/lock")));
    }

    [Fact]
    public void A_planted_link_is_not_followed()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        File.CreateSymbolicLink(folder.File("lock"), folder.File("target"));
        using FileLock? held = FileLock.TryTake(folder.File("lock"));
        Assert.NotNull(held);
        Assert.False(File.Exists(folder.File("target")));
    }
}
