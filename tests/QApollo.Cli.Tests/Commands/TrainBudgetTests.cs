using System.Text.Json;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Cli.Tests.Commands;

/// <summary>`qapollo train --budget` trains with what the planner chose, and records it.</summary>
public class TrainBudgetTests
{
    private const string Short = "train --max-steps 2 --batch-size 2 --seq-len 32 --eval-every 0";

    [Fact]
    public void A_budget_decides_what_is_not_decided_and_a_resumed_run_keeps_it()
    {
        using var folder = new TempFolder();
        string text = folder.File("text.txt");
        string run = folder.File("run");
        File.WriteAllText(text, string.Concat(Enumerable.Repeat("A budget is an input of the plan. ", 400)));
        CliResult result = Cli.Run($"{Short} --data \"{text}\" --output-dir \"{run}\" --budget {Budget()}B");
        Assert.Equal((0, string.Empty), (result.ExitCode, result.Error));
        Assert.Contains("budget: ", result.Output, StringComparison.Ordinal);
        Assert.Contains("chosen: --batch-size 2", result.Output, StringComparison.Ordinal);
        using (var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(run, "run.json"))))
        {
            Assert.Equal("adamw8bit", json.RootElement.GetProperty("headOptimizer").GetString());
        }

        CliResult resumed = Cli.Run($"train --resume --output-dir \"{run}\" --max-steps 3");
        Assert.Equal((0, string.Empty), (resumed.ExitCode, resumed.Error));
        Assert.Contains("step 3/3", resumed.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_without_a_budget_resumes_with_its_defaults()
    {
        using var folder = new TempFolder();
        string text = folder.File("text.txt");
        string run = folder.File("run");
        File.WriteAllText(text, string.Concat(Enumerable.Repeat("Nothing was decided. ", 400)));
        Assert.Equal(0, Cli.Run($"{Short} --data \"{text}\" --output-dir \"{run}\"").ExitCode);
        CliResult resumed = Cli.Run($"train --resume --output-dir \"{run}\" --max-steps 3");
        Assert.Equal((0, string.Empty), (resumed.ExitCode, resumed.Error));
    }

    [Fact]
    public void Nothing_is_loaded_when_nothing_fits()
    {
        using var folder = new TempFolder();
        string run = folder.File("run");
        CliResult result = Cli.Run($"{Short} --model 7b --output-dir \"{run}\" --budget 2GiB");
        Assert.Equal((1, string.Empty), (result.ExitCode, result.Output));
        Assert.Contains("7b does not fit --budget 2.00 GiB: the smallest that would do is", result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(run));
    }

    /// <summary>Less than the plain plan by more than every concession before the head's optimizer can free.</summary>
    private static long Budget()
    {
        const long Missing = 400_000;
        using var plan = JsonDocument.Parse(Cli.Run("plan --device cpu --batch-size 2 --seq-len 32 --json").Output);
        return plan.RootElement.GetProperty("device").GetProperty("totalBytes").GetInt64() - Missing;
    }
}
