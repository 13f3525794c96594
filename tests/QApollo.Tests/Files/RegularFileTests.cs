using System.Diagnostics;
using QApollo.Files;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Tests.Files;

public sealed class RegularFileTests : IDisposable
{
    private readonly TempFolder folder = new();

    /// <summary>Runs where pipes, devices and links are files.</summary>
    private sealed class UnixFactAttribute : FactAttribute
    {
        public UnixFactAttribute() => Skip = OperatingSystem.IsWindows() ? "needs Unix" : null;
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Content_comes_whole_and_within_its_limit()
    {
        File.WriteAllText(folder.File("a"), "content");
        Assert.Equal("content"u8, RegularFile.ReadAllBytes(folder.File("a"), maxBytes: 7));
        Assert.Contains("at most 6", Assert.Throws<InvalidFileException>(() => RegularFile.ReadAllBytes(folder.File("a"), maxBytes: 6)).Message, StringComparison.Ordinal);
        Assert.Throws<FileNotFoundException>(() => RegularFile.OpenRead(folder.File("missing")));
        Assert.Throws<UnauthorizedAccessException>(() => RegularFile.OpenRead(folder.Path));
        Assert.Equal(0, RegularFile.LengthOf(folder.Path));
    }

    [UnixFact]
    public void A_link_has_the_length_of_what_it_points_to()
    {
        File.WriteAllText(folder.File("a"), new string('x', 1000));
        File.CreateSymbolicLink(folder.File("link"), "a");
        File.CreateSymbolicLink(folder.File("second"), "link");
        File.CreateSymbolicLink(folder.File("dangling"), "nowhere");

        Assert.Equal(1000, RegularFile.LengthOf(folder.File("second")));
        Assert.Equal(1000, RegularFile.ReadAllBytes(folder.File("second"), 2000).Length);
        Assert.Equal(0, RegularFile.LengthOf(folder.File("dangling")));
    }

    [UnixFact]
    public void Pipes_and_devices_are_refused_without_waiting()
    {
        using (var made = Process.Start("mkfifo", [folder.File("pipe")]))
        {
            made.WaitForExit();
        }

        File.CreateSymbolicLink(folder.File("zero"), "/dev/zero");
        foreach (string name in (string[])["pipe", "zero"])
        {
            Assert.Contains("no regular file", Assert.Throws<InvalidFileException>(() => RegularFile.OpenRead(folder.File(name))).Message, StringComparison.Ordinal);
            Assert.Contains("no regular file", Assert.Throws<InvalidFileException>(() => RegularFile.OpenHandle(folder.File(name))).Message, StringComparison.Ordinal);
        }

        // Nor do they stand in the way of a file that is written.
        using (var made = Process.Start("mkfifo", [folder.File("a.tmp")]))
        {
            made.WaitForExit();
        }

        PendingFile.WriteAll(folder.File("a"), "new"u8);
        Assert.Equal("new", File.ReadAllText(folder.File("a")));
    }
}
