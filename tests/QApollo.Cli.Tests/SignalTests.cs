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

    [SignalTheory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    public void The_first_signal_saves_and_says_by_the_exit_code_that_the_run_is_not_done(string signal, int exitCode)
    {
        using var tiny = new TinyRun();
        string[] arguments = tiny.Train("run", 1_000_000, "--schedule", "constant");
        using RunningProcess process = QApolloProcess.Start(tiny.Folder, arguments);
        process.WaitForSteps(tiny.RunFolder("run"));
        process.Send(signal);

        ProcessResult result = process.WaitForEnd();
        Assert.True(result.ExitCode == exitCode, $"{result.ExitCode}: {result.Error}");
        Assert.Contains("stopping at the end of this step; once more to abort", result.Output, StringComparison.Ordinal);
        Assert.Contains("stopped; go on with: qapollo train --resume", result.Output, StringComparison.Ordinal);
        (int step, string path) = Assert.Single(CheckpointFolder.List(tiny.RunFolder("run")));
        CheckpointFolder.Verify(path);

        ProcessResult resumed = QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", $"{step + 1}");
        Assert.True(resumed.ExitCode == 0, resumed.Error);
    }

    /// <summary>A model whose step takes so long that the second signal comes before its end. Of two at once either may be seen first.</summary>
    /// <param name="atOnce">The second signal does not wait until the first one is seen.</param>
    [SignalTheory]
    [InlineData("INT", false, "INT", 130, 130)]
    [InlineData("INT", false, "TERM", 143, 143)]
    [InlineData("INT", true, "TERM", 143, 130)]
    [InlineData("TERM", true, "INT", 130, 143)]
    public void Two_signals_are_two_even_at_once_and_abort(string first, bool atOnce, string second, int exitCode, int otherOrder)
    {
        using var tiny = new TinyRun();
        string[] arguments =
        [
            "train", "--model", "9m", "--data", tiny.TextPath, "--output-dir", tiny.RunFolder("run"), "--cache-dir", Path.Combine(tiny.Folder, "cache"),
            "--batch-size", "16", "--seq-len", "256", "--grad-accum", "64", "--threads", "1", "--valid-share", "0",
        ];
        using RunningProcess process = QApolloProcess.Start(tiny.Folder, arguments);

        // The file is there when the run begins; what is computed then is its first step.
        process.WaitFor(() => File.Exists(Path.Combine(tiny.RunFolder("run"), "metrics.jsonl")));
        process.WaitForWork(TimeSpan.FromSeconds(0.5));
        if (atOnce)
        {
            process.Send(first, second);
        }
        else
        {
            process.Send(first);
            process.WaitFor(() => process.Output.Contains("once more to abort", StringComparison.Ordinal));
            process.Send(second);
        }

        ProcessResult result = process.WaitForEnd();
        Assert.True(result.ExitCode == exitCode || result.ExitCode == otherOrder, $"{result.ExitCode}: {result.Output} {result.Error}");
        Assert.Contains("qapollo: aborted", result.Error, StringComparison.Ordinal);
        Assert.Empty(CheckpointFolder.List(tiny.RunFolder("run")));
    }

    /// <summary>A model whose weights are made for seconds before the first step.</summary>
    [SignalTheory]
    [InlineData("TERM", 143)]
    public void A_run_that_is_stopped_before_its_first_step_points_to_no_checkpoint(string signal, int exitCode)
    {
        using var tiny = new TinyRun();
        string cache = Path.Combine(tiny.Folder, "cache");
        string[] arguments =
        [
            "train", "--model", "350m", "--n-layer", "48", "--vocab-size", "320", "--tokenizer", "bytes", "--data", tiny.TextPath, "--output-dir", tiny.RunFolder("run"), "--cache-dir", cache,
            "--batch-size", "1", "--seq-len", "16", "--threads", "1", "--valid-share", "0", "--sample-tokens", "0",
        ];
        using RunningProcess process = QApolloProcess.Start(tiny.Folder, arguments);
        process.WaitFor(() => Directory.Exists(tiny.RunFolder("run")));
        process.WaitForWork(TimeSpan.FromSeconds(0.5));
        process.Send(signal);

        ProcessResult result = process.WaitForEnd();
        Assert.True(result.ExitCode == exitCode, $"{result.ExitCode}: {result.Output} {result.Error}");
        Assert.EndsWith("qapollo: stopped", result.Error.TrimEnd(), StringComparison.Ordinal);
        Assert.DoesNotContain("--resume", result.Output + result.Error, StringComparison.Ordinal);
        Assert.Empty(CheckpointFolder.List(tiny.RunFolder("run")));
    }

    [Fact]
    public void When_its_hours_are_over_a_run_saves_says_so_and_can_go_on()
    {
        using var tiny = new TinyRun();
        ProcessResult result = QApolloProcess.Run(tiny.Train("run", 1_000_000, "--schedule", "constant", "--hours", "0.001"));
        Assert.True(result.ExitCode == 0, result.Error);
        (int step, string path) = Assert.Single(CheckpointFolder.List(tiny.RunFolder("run")));
        CheckpointFolder.Verify(path);
        Assert.Contains("time: 0.001 hours for this session, until ", result.Output, StringComparison.Ordinal);
        Assert.Contains(
            FormattableString.Invariant($"after step {step:N0} of 1,000,000, 0.001 hours are over; go on with: qapollo train --resume"), result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("\"hours\"", File.ReadAllText(Path.Combine(tiny.RunFolder("run"), "run.json")), StringComparison.Ordinal);

        ProcessResult resumed = QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", $"{step + 1}");
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.DoesNotContain("time: ", resumed.Output, StringComparison.Ordinal);
    }

    [SignalTheory]
    [InlineData("INT")]
    public void A_run_that_yields_has_low_priority_in_all_its_threads_and_the_same_bytes(string signal)
    {
        using var tiny = new TinyRun();
        Assert.Equal(0, QApolloProcess.Run(tiny.Train("plain", 5)).ExitCode);
        ProcessResult result = QApolloProcess.Run(tiny.Train("quiet", 5, "--yield"));
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("yield: at low priority", result.Output, StringComparison.Ordinal);
        TrainCommandTests.RequireEqualFolders(Path.Combine(tiny.RunFolder("plain"), "step-000005"), Path.Combine(tiny.RunFolder("quiet"), "step-000005"));
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        using RunningProcess process = QApolloProcess.Start(tiny.Folder, tiny.Train("run", 1_000_000, "--schedule", "constant", "--yield"));
        process.WaitForSteps(tiny.RunFolder("run"));
        int[] priorities = [.. Directory.EnumerateDirectories($"/proc/{process.Id}/task").Select(task => NicenessOf(Path.Combine(task, "stat"))).OfType<int>()];
        process.Send(signal);
        process.WaitForEnd();
        Assert.NotEmpty(priorities);
        Assert.All(priorities, priority => Assert.True(priority >= 10, $"{priority}"));

        // proc_pid_stat(5): the name in parentheses is the second field, nice the nineteenth. None of a thread that has just ended.
        static int? NicenessOf(string stat)
        {
            try
            {
                return int.Parse(File.ReadAllText(stat).Split(')')[^1].Split(' ')[17], System.Globalization.CultureInfo.InvariantCulture);
            }
            catch (IOException)
            {
                return null;
            }
        }
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("nan")]
    [InlineData("1e9")]
    [InlineData("8h")]
    public void Hours_that_are_none_are_refused(string hours)
    {
        ProcessResult result = QApolloProcess.Run("train", "--hours", hours);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains($"--hours: '{hours}' is not valid; it takes a number from 0.001 to 100000", result.Error, StringComparison.Ordinal);
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
        using RunningProcess process = QApolloProcess.Start(tiny.Folder, arguments);
        process.WaitFor(() => process.Output.Length > 0);
        process.Send(signal);
        ProcessResult result = process.WaitForEnd();
        Assert.True(result.ExitCode == exitCode, $"{result.ExitCode}: {result.Error}");
        Assert.Contains("stopped", result.Error, StringComparison.Ordinal);
    }
}
