using System.Runtime.InteropServices;
using QApollo.Files;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Tests.Files;

public sealed class ScratchFileTests : IDisposable
{
    private const int Bytes = 1 << 20;

    private readonly TempFolder _folder = new();
    private readonly nint _memory = Marshal.AllocHGlobal(Bytes);

    [Fact]
    public void What_is_written_is_read_in_the_order_of_the_requests()
    {
        string path = Path.Combine(_folder.Path, "layers.tmp");
        var content = new byte[Bytes];
        new Random(1).NextBytes(content);
        using (var file = new ScratchFile(path, 3L * Bytes))
        {
            Assert.Equal(OperatingSystem.IsWindows(), File.Exists(path));
            Marshal.Copy(content, 0, _memory, Bytes);
            file.Write(Bytes, _memory, Bytes);
            file.Write(0, _memory, Bytes / 2);
            long last = file.Read(Bytes / 2 * 3, _memory, Bytes / 2);
            file.Wait(last);
            var read = new byte[Bytes];
            Marshal.Copy(_memory, read, 0, Bytes);
            Compare.BitEqual<byte>(read.AsSpan(0, Bytes / 2).ToArray(), content.AsSpan(Bytes / 2).ToArray(), "the second half");

            file.WriteNow(2L * Bytes, content);
            file.ReadNow(2L * Bytes, read);
            Compare.BitEqual<byte>(read, content, "at once");
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    /// <summary>Far more than the disk keeps up with: the requests wait where there is room for them already.</summary>
    [Fact]
    public void Requests_ahead_of_the_disk_allocate_nothing()
    {
        using var file = new ScratchFile(Path.Combine(_folder.Path, "layers.tmp"), Bytes);
        file.Wait(file.Write(0, _memory, Bytes));
        long before = GC.GetAllocatedBytesForCurrentThread();
        long last = 0;
        for (int request = 0; request < 600; request++)
        {
            last = file.Write(0, _memory, Bytes);
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        file.Wait(last);
        Assert.Equal(0, allocated);
    }

    /// <summary>Whatever has the name: a file, one that another process holds, a folder, a link to a file or to nothing.</summary>
    [Fact]
    public void What_is_there_is_refused_and_left_alone()
    {
        string target = Path.Combine(_folder.Path, "text");
        string held = Path.Combine(_folder.Path, "held");
        File.WriteAllText(target, "words");
        File.WriteAllText(held, "words");
        string folder = Directory.CreateDirectory(Path.Combine(_folder.Path, "folder")).FullName;
        string link = File.CreateSymbolicLink(Path.Combine(_folder.Path, "link"), target).FullName;
        string broken = File.CreateSymbolicLink(Path.Combine(_folder.Path, "broken"), Path.Combine(_folder.Path, "nothing")).FullName;
        using FileStream holder = File.Open(held, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        string[] before = Directory.GetFileSystemEntries(_folder.Path);
        foreach (string path in (string[])[target, held, folder, link, broken])
        {
            foreach (long bytes in (long[])[Bytes, 1L << 50])
            {
                string message = Assert.Throws<RunFailedException>(() => new ScratchFile(path, bytes)).Message;
                Assert.Equal($"{path} is there already and left alone; layers on disk need a name that is free: name another with --layer-file", message);
            }
        }

        Assert.Equal(before.Order(), Directory.GetFileSystemEntries(_folder.Path).Order());
        Assert.Equal("words", File.ReadAllText(target));
        Assert.Equal(target, new FileInfo(link).LinkTarget);
        Assert.Equal(5, holder.Length);
    }

    /// <summary>Elsewhere the name is free again as soon as the file is there: nothing stays behind a killed process.</summary>
    [Fact]
    public void A_name_that_is_in_use_by_another_is_not_shared()
    {
        string path = Path.Combine(_folder.Path, "layers.tmp");
        using var first = new ScratchFile(path, Bytes);
        first.WriteNow(0, [1, 2, 3]);
        if (OperatingSystem.IsWindows())
        {
            Assert.Throws<RunFailedException>(() => new ScratchFile(path, Bytes));
        }
        else
        {
            using var second = new ScratchFile(path, Bytes);
            second.WriteNow(0, [4, 5, 6]);
        }

        var read = new byte[3];
        first.ReadNow(0, read);
        Assert.Equal([1, 2, 3], read);
    }

    [Fact]
    public void A_place_that_is_none_and_a_size_that_no_disk_has_are_one_clear_line()
    {
        foreach ((string path, long bytes) in (ReadOnlySpan<(string, long)>)[(Path.Combine(_folder.Path, "none", "layers.tmp"), Bytes), (Path.Combine(_folder.Path, "layers.tmp"), 1L << 50)])
        {
            string message = Assert.Throws<RunFailedException>(() => new ScratchFile(path, bytes)).Message;
            Assert.Contains("for layers on disk cannot be had there", message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', message);
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    /// <summary>Who measures has no --layer-file.</summary>
    [Fact]
    public void A_temporary_file_that_cannot_be_had_is_told_with_what_moves_it()
    {
        string message = Assert.Throws<RunFailedException>(() => ScratchFile.Temporary(1L << 50)).Message;
        Assert.StartsWith(Path.GetTempPath(), message, StringComparison.Ordinal);
        Assert.EndsWith(OperatingSystem.IsWindows() ? "is named by TMP" : "is named by TMPDIR", message, StringComparison.Ordinal);
    }

    /// <summary>A read beyond the end stands for a disk that fails: whoever waits learns of it.</summary>
    [Fact]
    public void A_disk_that_fails_is_told_to_whoever_waits()
    {
        using var file = new ScratchFile(Path.Combine(_folder.Path, "layers.tmp"), Bytes);
        long request = file.Read(Bytes - 1, _memory, 2);
        Assert.Contains("layers on disk", Assert.Throws<RunFailedException>(() => file.Wait(request)).Message, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        Marshal.FreeHGlobal(_memory);
        _folder.Dispose();
    }
}
