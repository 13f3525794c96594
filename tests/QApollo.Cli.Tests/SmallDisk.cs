using System.ComponentModel;
using System.Diagnostics;
using Xunit;

namespace QApollo.Cli.Tests;

/// <summary>A file system of its own in memory, as small as a test needs it: for root on Linux.</summary>
internal sealed class SmallDisk : IDisposable
{
    /// <param name="options">Of a tmpfs: "size=64k".</param>
    public SmallDisk(string path, string options)
    {
        Path = path;
        Directory.CreateDirectory(path);
        Assert.True(Run("mount", "-t", "tmpfs", "-o", options, "tmpfs", path));
    }

    public string Path { get; }

    /// <summary>Whether this process may mount one.</summary>
    public static bool IsPossible()
    {
        string folder = Directory.CreateTempSubdirectory("qapollo-mount-").FullName;
        bool mounted = Run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder);
        if (mounted)
        {
            Run("umount", folder);
        }

        Directory.Delete(folder);
        return mounted;
    }

    public void Remount(string options) => Assert.True(Run("mount", "-o", $"remount,{options}", Path));

    public void Dispose() => Run("umount", Path);

    private static bool Run(string command, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }
}
