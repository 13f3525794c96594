using System.Diagnostics;
using QApollo.Checkpoints;
using Xunit;

namespace QApollo.Cli.Tests;

/// <summary>A disk that fills up in the middle of a save, and a folder that cannot be written: the last good checkpoint survives.</summary>
public class DiskTests
{
    /// <summary>Runs where a small file system can be mounted: as root on Linux.</summary>
    private sealed class MountFactAttribute : FactAttribute
    {
        public MountFactAttribute()
        {
            if (!OperatingSystem.IsLinux() || Environment.UserName != "root" || !CanMount())
            {
                Skip = "needs to mount a small file system: root on Linux";
            }
        }

        private static bool CanMount()
        {
            string folder = Directory.CreateTempSubdirectory("qapollo-mount-").FullName;
            bool mounted = Shell("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder);
            if (mounted)
            {
                Shell("umount", folder);
            }

            Directory.Delete(folder);
            return mounted;
        }
    }

    [MountFact]
    public void A_disk_too_small_for_the_layers_is_refused_before_the_first_step()
    {
        using var tiny = new TinyRun();
        string disk = Path.Combine(tiny.Folder, "disk");
        Directory.CreateDirectory(disk);
        Assert.True(Shell("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk));
        try
        {
            ProcessResult result = QApolloProcess.Run(tiny.Train("run", 2, "--device", "cpu", "--layers", "disk", "--layer-file", Path.Combine(disk, "layers.tmp")));
            Assert.Equal(1, result.ExitCode);
            Assert.Contains("for layers on disk cannot be had there", result.Error, StringComparison.Ordinal);
            Assert.Single(result.Error.Trim().Split('\n'));
            Assert.Empty(Directory.EnumerateFiles(disk));
            Assert.False(Directory.Exists(tiny.RunFolder("run")));
        }
        finally
        {
            Shell("umount", disk);
        }
    }

    [MountFact]
    public void A_full_disk_in_the_middle_of_a_save_leaves_the_last_checkpoint()
    {
        using var tiny = new TinyRun();
        string disk = Path.Combine(tiny.Folder, "disk");
        Directory.CreateDirectory(disk);
        Assert.True(Shell("mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk));
        try
        {
            string run = Path.Combine("disk", "run");
            ProcessResult result = QApolloProcess.Run(tiny.Train(run, 40, "--save-every", "1", "--keep", "0"));

            Assert.Equal(1, result.ExitCode);
            Assert.Contains("step-", result.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
            IReadOnlyList<(int Step, string Path)> checkpoints = CheckpointFolder.List(tiny.RunFolder(run));
            Assert.NotEmpty(checkpoints);
            CheckpointFolder.Verify(checkpoints[^1].Path);
            Assert.Empty(Directory.EnumerateDirectories(tiny.RunFolder(run), "*.partial"));

            // Room again: the run goes on from there.
            foreach ((_, string path) in checkpoints.SkipLast(1))
            {
                Directory.Delete(path, recursive: true);
            }

            ProcessResult resumed = QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder(run), "--keep", "1");
            Assert.True(resumed.ExitCode == 0, resumed.Error);
        }
        finally
        {
            Shell("umount", disk);
        }
    }

    [MountFact]
    public void An_export_that_does_not_fit_leaves_nothing()
    {
        using var tiny = new TinyRun();
        Assert.Equal(0, QApolloProcess.Run(tiny.Train("run", 1)).ExitCode);
        string disk = Path.Combine(tiny.Folder, "disk");
        Directory.CreateDirectory(disk);
        Assert.True(Shell("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk));
        try
        {
            foreach (string[] format in (string[][])[["hf", "model"], ["gguf", "model.gguf"]])
            {
                ProcessResult result = QApolloProcess.Run(
                    "export", "--checkpoint", tiny.RunFolder("run"), "--format", format[0], "--dtype", "f32", "--output", Path.Combine(disk, format[1]));
                Assert.Equal(1, result.ExitCode);
                Assert.Contains("cannot be written", result.Error, StringComparison.Ordinal);
                Assert.Single(result.Error.Trim().Split('\n'));
                Assert.Empty(Directory.EnumerateFileSystemEntries(disk));
            }
        }
        finally
        {
            Shell("umount", disk);
        }
    }

    [MountFact]
    public void A_read_only_folder_is_named()
    {
        using var tiny = new TinyRun();
        string disk = Path.Combine(tiny.Folder, "disk");
        Directory.CreateDirectory(disk);
        Assert.True(Shell("mount", "-t", "tmpfs", "-o", "size=512k,ro", "tmpfs", disk));
        try
        {
            ProcessResult result = QApolloProcess.Run(tiny.Train(Path.Combine("disk", "run"), 2));
            Assert.Equal(1, result.ExitCode);
            Assert.Contains("disk", result.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        }
        finally
        {
            Shell("umount", disk);
        }
    }

    [MountFact]
    public void A_folder_that_became_read_only_keeps_its_checkpoint()
    {
        using var tiny = new TinyRun();
        string disk = Path.Combine(tiny.Folder, "disk");
        Directory.CreateDirectory(disk);
        Assert.True(Shell("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk));
        try
        {
            string run = tiny.RunFolder(Path.Combine("disk", "run"));
            Assert.Equal(0, QApolloProcess.Run(tiny.Train(Path.Combine("disk", "run"), 2)).ExitCode);
            Assert.True(Shell("mount", "-o", "remount,ro", disk));
            string[] resume = ["train", "--resume", "--output-dir", run, "--max-steps", "4"];
            ProcessResult refused = QApolloProcess.Run(resume);

            Assert.Equal(1, refused.ExitCode);
            Assert.Contains("cannot be written", refused.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", refused.Error, StringComparison.Ordinal);
            CheckpointFolder.Verify(Assert.Single(CheckpointFolder.List(run)).Path);

            Assert.True(Shell("mount", "-o", "remount,rw", disk));
            ProcessResult resumed = QApolloProcess.Run(resume);
            Assert.True(resumed.ExitCode == 0, resumed.Error);
        }
        finally
        {
            Shell("umount", disk);
        }
    }

    private static bool Shell(string command, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
