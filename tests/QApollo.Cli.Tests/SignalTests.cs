using System.Diagnostics;
using QApollo.Checkpoints;
using Xunit;

namespace QApollo.Cli.Tests;

/// <summary>A run that is asked to stop saves at the end of its step.</summary>
public class SignalTests
{
    /// <summary>Runs where a signal can be sent to a process by its number.</summary>
    private sealed class SignalTheoryAttribute : TheoryAttribute
    {
        public SignalTheoryAttribute()
        {
            if (OperatingSystem.IsWindows())
            {
                Skip = "needs signals";
            }
        }
    }

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    [SignalTheory]
    [InlineData("INT")]
    [InlineData("TERM")]
    [InlineData("HUP")]
    public void The_first_signal_saves_and_ends_cleanly(string signal)
    {
        using var tiny = new TinyRun();
        string[] arguments = tiny.Train("run", 1_000_000, "--schedule", "constant");
        using Process process = QApolloProcess.Start(tiny.Folder, arguments, out var output, out var error);
        WaitForSteps(process, tiny.RunFolder("run"));
        Send(process, signal);

        Assert.True(process.WaitForExit(Limit));
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, error.ToString());
        Assert.Contains("stopped; go on with: qapollo train --resume", output.ToString(), StringComparison.Ordinal);
        (int step, string path) = Assert.Single(CheckpointFolder.List(tiny.RunFolder("run")));
        CheckpointFolder.Verify(path);

        ProcessResult resumed = QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", $"{step + 1}");
        Assert.True(resumed.ExitCode == 0, resumed.Error);
    }

    /// <summary>Until the first line of metrics.jsonl.</summary>
    private static void WaitForSteps(Process process, string run)
    {
        var metrics = new FileInfo(Path.Combine(run, "metrics.jsonl"));
        var watch = Stopwatch.StartNew();
        while (!metrics.Exists || metrics.Length == 0)
        {
            Assert.True(!process.HasExited && watch.Elapsed < Limit);
            Thread.Sleep(20);
            metrics.Refresh();
        }
    }

    private static void Send(Process process, string signal)
    {
        using var kill = Process.Start("kill", ["-" + signal, $"{process.Id}"]);
        kill.WaitForExit();
    }
}
