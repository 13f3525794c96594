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
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    public void The_first_signal_saves_and_says_by_the_exit_code_that_the_run_is_not_done(string signal, int exitCode)
    {
        using var tiny = new TinyRun();
        string[] arguments = tiny.Train("run", 1_000_000, "--schedule", "constant");
        using Process process = QApolloProcess.Start(tiny.Folder, arguments, out var output, out var error);
        WaitForSteps(process, tiny.RunFolder("run"));
        Send($"kill -{signal} {process.Id}");

        Assert.True(process.WaitForExit(Limit));
        process.WaitForExit();
        Assert.True(process.ExitCode == exitCode, $"{process.ExitCode}: {error}");
        Assert.Contains("stopping at the end of this step; once more to abort", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("stopped; go on with: qapollo train --resume", output.ToString(), StringComparison.Ordinal);
        (int step, string path) = Assert.Single(CheckpointFolder.List(tiny.RunFolder("run")));
        CheckpointFolder.Verify(path);

        ProcessResult resumed = QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", $"{step + 1}");
        Assert.True(resumed.ExitCode == 0, resumed.Error);
    }

    /// <summary>A model whose step takes so long that the second signal comes before its end. Of two at once either may be seen first.</summary>
    [SignalTheory]
    [InlineData("INT", "sleep 0.3", "INT", 130, 130)]
    [InlineData("INT", "sleep 0.3", "TERM", 143, 143)]
    [InlineData("INT", "true", "TERM", 143, 130)]
    [InlineData("TERM", "true", "INT", 130, 143)]
    public void Two_signals_are_two_even_at_once_and_abort(string first, string between, string second, int exitCode, int otherOrder)
    {
        using var tiny = new TinyRun();
        string[] arguments =
        [
            "train", "--model", "9m", "--data", tiny.TextPath, "--output-dir", tiny.RunFolder("run"), "--cache-dir", Path.Combine(tiny.Folder, "cache"),
            "--batch-size", "16", "--seq-len", "256", "--grad-accum", "64", "--threads", "1", "--valid-share", "0",
        ];
        using Process process = QApolloProcess.Start(tiny.Folder, arguments, out var output, out var error);
        WaitFor(process, () => output.ToString().Contains("memory: ", StringComparison.Ordinal));
        Thread.Sleep(1000);
        Send($"kill -{first} {process.Id}; {between}; kill -{second} {process.Id}");

        bool hasEnded = process.WaitForExit(TimeSpan.FromSeconds(60));
        process.Kill();
        process.WaitForExit();
        Assert.True(hasEnded && (process.ExitCode == exitCode || process.ExitCode == otherOrder), $"{process.ExitCode}: {output} {error}");
        Assert.Contains("qapollo: aborted", error.ToString(), StringComparison.Ordinal);
        Assert.Empty(CheckpointFolder.List(tiny.RunFolder("run")));
    }

    [SignalTheory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    public void Generation_that_is_stopped_says_so(string signal, int exitCode)
    {
        using var tiny = new TinyRun();
        File.WriteAllText(tiny.ModelPath, File.ReadAllText(tiny.ModelPath).Replace("\"max_position_embeddings\": 64", "\"max_position_embeddings\": 100000", StringComparison.Ordinal));
        // After so many steps the likeliest text repeats itself and never ends; after one it ends within milliseconds.
        ProcessResult trained = QApolloProcess.Run(tiny.Train("run", 40));
        Assert.True(trained.ExitCode == 0, trained.Error);
        string[] arguments = ["generate", "--checkpoint", tiny.RunFolder("run"), "--prompt", "A line\nL", "--max-tokens", "100000", "--threads", "1", "--temperature", "0"];
        using Process process = QApolloProcess.Start(tiny.Folder, arguments, out var output, out var error);
        WaitFor(process, () => output.Length > 0);
        Send($"kill -{signal} {process.Id}");
        Assert.True(process.WaitForExit(Limit));
        process.WaitForExit();
        Assert.True(process.ExitCode == exitCode, $"{process.ExitCode}: {error}");
        Assert.Contains("stopped", error.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Until the first line of metrics.jsonl.</summary>
    private static void WaitForSteps(Process process, string run)
    {
        var metrics = new FileInfo(Path.Combine(run, "metrics.jsonl"));
        WaitFor(process, () =>
        {
            metrics.Refresh();
            return metrics.Exists && metrics.Length > 0;
        });
    }

    private static void WaitFor(Process process, Func<bool> isTrue)
    {
        var watch = Stopwatch.StartNew();
        while (!isTrue())
        {
            Assert.True(!process.HasExited && watch.Elapsed < Limit);
            Thread.Sleep(20);
        }
    }

    private static void Send(string commands)
    {
        using var shell = Process.Start("sh", ["-c", commands]);
        shell.WaitForExit();
    }
}
