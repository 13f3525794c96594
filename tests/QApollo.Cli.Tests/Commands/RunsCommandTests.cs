using System.Text.Json;
using QApollo.Files;
using QApollo.Runs;
using Xunit;

namespace QApollo.Cli.Tests.Commands;

/// <summary>`qapollo runs` from the outside.</summary>
public class RunsCommandTests
{
    [Fact]
    public void Runs_are_listed_with_steps_loss_size_and_state()
    {
        using var tiny = new TinyRun();
        Assert.Equal(0, QApolloProcess.Run(tiny.Train("done", 3, evalEvery: 2)).ExitCode);
        Assert.Equal(0, QApolloProcess.Run(tiny.Train("longer", 2)).ExitCode);
        string options = Path.Combine(tiny.RunFolder("longer"), "run.json");
        File.WriteAllText(options, File.ReadAllText(options).Replace("\"maxSteps\": 2,", "\"maxSteps\": 9,", StringComparison.Ordinal));
        Directory.CreateDirectory(tiny.RunFolder("broken"));
        File.WriteAllText(Path.Combine(tiny.RunFolder("broken"), "run.json"), "no JSON");
        File.WriteAllText(Path.Combine(tiny.RunFolder("broken"), "metrics.jsonl"), "{\"step\":1,\"loss\":");

        ProcessResult result = QApolloProcess.Run("runs", "--output-dir", tiny.Folder, "--json");

        Assert.True(result.ExitCode == 0, result.Error);
        Dictionary<string, JsonElement> runs = JsonDocument.Parse(result.Output).RootElement.EnumerateArray().ToDictionary(run => Path.GetFileName(run.GetProperty("path").GetString()!));
        Assert.Equal(["broken", "done", "longer"], runs.Keys.Order());
        Assert.Equal("finished", runs["done"].GetProperty("state").GetString());
        Assert.Equal((3, 3), (runs["done"].GetProperty("steps").GetInt32(), runs["done"].GetProperty("maxSteps").GetInt32()));
        var history = MetricsHistory.Read(Path.Combine(tiny.RunFolder("done"), "metrics.jsonl"));
        Assert.Equal(history.Losses[^1].Loss, runs["done"].GetProperty("loss").GetDouble());
        Assert.Equal(history.Validations[^1].Loss, runs["done"].GetProperty("validationLoss").GetDouble());
        Assert.Equal(Directory.GetFiles(tiny.RunFolder("done"), "*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length), runs["done"].GetProperty("bytes").GetInt64());
        Assert.Equal(("stopped", 9), (runs["longer"].GetProperty("state").GetString(), runs["longer"].GetProperty("maxSteps").GetInt32()));
        Assert.Equal("unsaved", runs["broken"].GetProperty("state").GetString());

        string table = QApolloProcess.Run("runs", "--output-dir", tiny.RunFolder("done")).Output;
        Assert.Matches(@"(?m)^  \.\s+finished\s+3 of 3\s+\d+\.\d{4}\s", table);
    }

    [Fact]
    public void A_run_whose_folder_is_held_is_running()
    {
        using var tiny = new TinyRun();
        Assert.Equal(0, QApolloProcess.Run(tiny.Train("run", 1)).ExitCode);
        using (FolderLock.Take(tiny.RunFolder("run"), RunOptions.Work))
        {
            // Locks bind other processes.
            Assert.Contains("running", QApolloProcess.Run("runs", "--output-dir", tiny.Folder).Output, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("running", QApolloProcess.Run("runs", "--output-dir", tiny.Folder).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Folders_without_runs_are_told()
    {
        Assert.Equal(2, QApolloProcess.Run("runs", "--output-dir", "/no/such/folder").ExitCode);
        using var tiny = new TinyRun();
        Assert.StartsWith("no runs in ", QApolloProcess.Run("runs", "--output-dir", tiny.Folder).Output, StringComparison.Ordinal);
    }
}
