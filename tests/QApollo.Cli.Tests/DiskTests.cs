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
            if (!OperatingSystem.IsLinux() || Environment.UserName != "root" || !SmallDisk.IsPossible())
            {
                Skip = "needs to mount a small file system: root on Linux";
            }
        }
    }

    [MountFact]
    public void A_disk_too_small_for_the_layers_is_refused_before_the_first_step()
    {
        using var tiny = new TinyRun();
        using var disk = new SmallDisk(Path.Combine(tiny.Folder, "disk"), "size=16k");
        ProcessResult result = QApolloProcess.Run(tiny.Train("run", 2, "--device", "cpu", "--layers", "disk", "--layer-file", Path.Combine(disk.Path, "layers.tmp")));
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("for layers on disk cannot be had there", result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.Trim().Split('\n'));
        Assert.Empty(Directory.EnumerateFiles(disk.Path));
        Assert.False(Directory.Exists(tiny.RunFolder("run")));
    }

    [MountFact]
    public void A_full_disk_in_the_middle_of_a_save_leaves_the_last_checkpoint()
    {
        using var tiny = new TinyRun();
        using var disk = new SmallDisk(Path.Combine(tiny.Folder, "disk"), "size=512k");
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

    [MountFact]
    public void A_disk_too_small_for_a_checkpoint_is_told_before_the_first_step()
    {
        using var tiny = new TinyRun();
        using var disk = new SmallDisk(Path.Combine(tiny.Folder, "disk"), "size=32k");
        ProcessResult result = QApolloProcess.Run(tiny.Train(Path.Combine("disk", "run"), 2, "--quiet", "--dry-run"));
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Matches("note: the disk of .*run has [0-9.]+ KiB free, too little for a checkpoint of [0-9.]+ KiB, and --keep 2 needs room for 3: make room", result.Output);
        Assert.DoesNotContain("too little", QApolloProcess.Run(tiny.Train("run", 2, "--dry-run")).Output, StringComparison.Ordinal);
    }

    [MountFact]
    public void An_export_that_does_not_fit_leaves_nothing()
    {
        using var tiny = new TinyRun();
        Assert.Equal(0, QApolloProcess.Run(tiny.Train("run", 1)).ExitCode);
        using var disk = new SmallDisk(Path.Combine(tiny.Folder, "disk"), "size=64k");
        foreach (string[] format in (string[][])[["hf", "model"], ["gguf", "model.gguf"]])
        {
            ProcessResult result = QApolloProcess.Run(
                "export", "--checkpoint", tiny.RunFolder("run"), "--format", format[0], "--dtype", "f32", "--output", Path.Combine(disk.Path, format[1]));
            Assert.Equal(1, result.ExitCode);
            Assert.Contains("cannot be written", result.Error, StringComparison.Ordinal);
            Assert.Single(result.Error.Trim().Split('\n'));
            Assert.Empty(Directory.EnumerateFileSystemEntries(disk.Path));
        }
    }

    /// <summary>The disk under a log is another one than that of the run, as a rule.</summary>
    [Theory]
    [InlineData("--plain")]
    [InlineData("--quiet")]
    public void A_run_goes_on_when_its_lines_cannot_be_written(string view)
    {
        if (!File.Exists("/dev/full"))
        {
            return;
        }

        using var tiny = new TinyRun();
        ProcessResult result = RunInto("/dev/full", tiny.Train("run", 3, "--lr", "1000", "--warmup-steps", "0", "--residual-bits", "0", view));

        Assert.Equal(1, result.ExitCode);
        string[] lines = result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (view == "--plain")
        {
            Assert.Equal("qapollo: standard output cannot be written: No space left on device", Assert.Single(lines));
            Assert.False(Directory.Exists(tiny.RunFolder("run")));
            return;
        }

        Assert.Equal(2, lines.Length);
        Assert.StartsWith("warning: standard output cannot be written: ", lines[0], StringComparison.Ordinal);
        Assert.StartsWith("qapollo: standard output cannot be written: ", lines[1], StringComparison.Ordinal);
        CheckpointFolder.Verify(Path.Combine(tiny.RunFolder("run"), CheckpointFolder.NameOf(3)));
    }

    [Fact]
    public void Results_that_cannot_be_written_say_where_to()
    {
        if (!File.Exists("/dev/full"))
        {
            return;
        }

        foreach (string[] command in (string[][])[["plan", "--model", "9m"], ["plan", "--model", "9m", "--json"], ["train", "--help"], ["completion", "bash"], ["presets"], ["version"]])
        {
            ProcessResult result = RunInto("/dev/full", command);
            Assert.Equal((1, "qapollo: standard output cannot be written: No space left on device\n"), (result.ExitCode, result.Error));
        }
    }

    private static ProcessResult RunInto(string file, string[] arguments)
    {
        var start = new ProcessStartInfo("sh") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        foreach (string argument in (string[])["-c", $"exec dotnet \"$0\" \"$@\" > {file}", Path.Combine(AppContext.BaseDirectory, "qapollo.dll"), .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        using var process = new RunningProcess(start);
        return process.WaitForEnd();
    }

    [MountFact]
    public void A_read_only_folder_is_named()
    {
        using var tiny = new TinyRun();
        using var disk = new SmallDisk(Path.Combine(tiny.Folder, "disk"), "size=512k,ro");
        ProcessResult result = QApolloProcess.Run(tiny.Train(Path.Combine("disk", "run"), 2));
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("disk", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
    }

    [MountFact]
    public void A_folder_that_became_read_only_keeps_its_checkpoint()
    {
        using var tiny = new TinyRun();
        using var disk = new SmallDisk(Path.Combine(tiny.Folder, "disk"), "size=2m");
        string run = tiny.RunFolder(Path.Combine("disk", "run"));
        Assert.Equal(0, QApolloProcess.Run(tiny.Train(Path.Combine("disk", "run"), 2)).ExitCode);
        disk.Remount("ro");
        string[] resume = ["train", "--resume", "--output-dir", run, "--max-steps", "4"];
        ProcessResult refused = QApolloProcess.Run(resume);

        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("cannot be written", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", refused.Error, StringComparison.Ordinal);
        CheckpointFolder.Verify(Assert.Single(CheckpointFolder.List(run)).Path);

        disk.Remount("rw");
        ProcessResult resumed = QApolloProcess.Run(resume);
        Assert.True(resumed.ExitCode == 0, resumed.Error);
    }
}
