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
            Assert.Equal(3L * Bytes, new FileInfo(path).Length);
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

    [Fact]
    public void A_file_that_another_holds_is_refused_and_left_alone()
    {
        string path = Path.Combine(_folder.Path, "layers.tmp");
        using var holder = new ScratchFile(path, Bytes);
        holder.WriteNow(0, [1, 2, 3]);
        string message = Assert.Throws<RunFailedException>(() => new ScratchFile(path, Bytes)).Message;
        Assert.StartsWith(path, message, StringComparison.Ordinal);
        Assert.Contains("--layer-file", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        var read = new byte[3];
        holder.ReadNow(0, read);
        Assert.Equal([1, 2, 3], read);
    }

    [Fact]
    public void One_that_a_killed_process_left_is_taken_over()
    {
        string path = Path.Combine(_folder.Path, "layers.tmp");
        File.WriteAllBytes(path, new byte[10]);
        using var file = new ScratchFile(path, Bytes);
        Assert.Equal(Bytes, new FileInfo(path).Length);
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
