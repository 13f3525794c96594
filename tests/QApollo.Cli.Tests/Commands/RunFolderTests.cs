using System.Text.Json;
using QApollo.Checkpoints;
using Xunit;

namespace QApollo.Cli.Tests.Commands;

/// <summary>A run's folder holds what the run needs, belongs to one process, and nothing of the user's is written over.</summary>
public sealed class RunFolderTests : IDisposable
{
    private readonly TinyRun tiny = new();

    public void Dispose() => tiny.Dispose();

    [Fact]
    public void A_run_goes_on_and_is_used_from_elsewhere_without_the_files_that_it_began_with()
    {
        string tokenizer = TrainTokenizer("tokenizer.json", 300);
        WidenModel();
        ProcessResult trained = QApolloProcess.RunIn(
            tiny.Folder, "train", "--model", "config.json", "--data", "text.txt", "--tokenizer", "tokenizer.json", "--output-dir", "run", "--cache-dir", "cache",
            "--max-steps", "2", "--batch-size", "2", "--seq-len", "16", "--threads", "1");
        Assert.True(trained.ExitCode == 0, trained.Error);

        // The tokenizer is another one now, the model's description is gone, and the run is in another place.
        File.Delete(tokenizer);
        TrainTokenizer("tokenizer.json", 280);
        File.Delete(tiny.ModelPath);
        string moved = Path.Combine(tiny.Folder, "elsewhere", "moved");
        Directory.CreateDirectory(Path.GetDirectoryName(moved)!);
        Directory.Move(tiny.RunFolder("run"), moved);

        ProcessResult resumed = QApolloProcess.RunIn(Path.GetTempPath(), "train", "--resume", "--output-dir", moved, "--max-steps", "3");
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        ProcessResult generated = QApolloProcess.RunIn(Path.GetTempPath(), "generate", "--checkpoint", moved, "--prompt", "Line", "--max-tokens", "4");
        Assert.True(generated.ExitCode == 0, generated.Error);
        ProcessResult scored = QApolloProcess.RunIn(Path.GetTempPath(), "eval", "--checkpoint", moved, "--data", tiny.TextPath, "--cache-dir", Path.Combine(tiny.Folder, "cache"));
        Assert.True(scored.ExitCode == 0, scored.Error);
        ProcessResult again = QApolloProcess.RunIn(
            Path.GetTempPath(), "train", "--config", Path.Combine(moved, "run.json"), "--model", moved, "--output-dir", tiny.RunFolder("again"), "--max-steps", "3");
        Assert.True(again.ExitCode == 0, again.Error);
        Assert.True(File.Exists(Path.Combine(tiny.RunFolder("again"), "tokenizer", "tokenizer.json")));
    }

    [Fact]
    public void A_folder_that_another_process_trains_in_is_refused_and_one_of_a_killed_process_is_not()
    {
        using (RunningProcess first = QApolloProcess.Start(tiny.Folder, tiny.Train("run", 1_000_000, "--schedule", "constant", "--save-every", "1")))
        {
            first.WaitFor(() => CheckpointFolder.List(tiny.RunFolder("run")).Count > 0);
            string holder = $"{tiny.RunFolder("run")}: process {first.Id} on {Environment.MachineName} (training since 2";
            foreach (string[] arguments in (string[][])[tiny.Train("run", 3), ["train", "--resume", "--output-dir", tiny.RunFolder("run")]])
            {
                ProcessResult second = QApolloProcess.Run(arguments);
                Assert.Equal((1, string.Empty), (second.ExitCode, second.Output));
                Assert.Contains(holder, second.Error, StringComparison.Ordinal);
            }

            Assert.False(first.HasExited);
        }

        int step = CheckpointFolder.List(tiny.RunFolder("run"))[^1].Step;
        ProcessResult resumed = QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", $"{step + 1}");
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.DoesNotContain(Directory.GetFiles(tiny.RunFolder("run")), file => Path.GetFileName(file).StartsWith("lock", StringComparison.Ordinal));
    }

    [Fact]
    public void No_command_writes_over_a_file_unless_forced()
    {
        string file = Path.Combine(tiny.Folder, "mine");
        string[][] commands =
        [
            ["tokenizer", "train", "--data", tiny.TextPath, "--vocab-size", "280", "--output", file],
            ["plan", "--html", file],
            ["profile", "--device", "cpu", "--batch-size", "1", "--seq-len", "8", "--steps", "1", "--html", file],
            ["profile", "--device", "cpu", "--batch-size", "1", "--seq-len", "8", "--steps", "1", "--markdown", file],
        ];
        foreach (string[] command in commands)
        {
            File.WriteAllText(file, "mine");
            ProcessResult refused = QApolloProcess.Run(command);
            Assert.Equal((2, string.Empty), (refused.ExitCode, refused.Output));
            Assert.Contains($"{file} exists; name another file, or write over it with --force", refused.Error, StringComparison.Ordinal);
            Assert.Equal("mine", File.ReadAllText(file));
            ProcessResult forced = QApolloProcess.Run([.. command, "--force"]);
            Assert.True(forced.ExitCode == 0, forced.Error);
            Assert.NotEqual("mine", File.ReadAllText(file));
        }

        ProcessResult nowhere = QApolloProcess.Run("plan", "--html", Path.Combine(tiny.Folder, "nowhere", "x.html"));
        Assert.Equal((2, string.Empty), (nowhere.ExitCode, nowhere.Output));
        Assert.Contains("there is no folder", nowhere.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_where_a_folder_is_wanted_is_named_by_every_command()
    {
        string[][] commands =
        [
            tiny.Train("text.txt", 1), tiny.Train(Path.Combine("text.txt", "run"), 1), ["train", "--resume", "--output-dir", tiny.TextPath],
            ["eval", "--checkpoint", tiny.Folder, "--data", tiny.TextPath, "--cache-dir", tiny.TextPath], ["data", "prepare", "--data", tiny.TextPath, "--cache-dir", tiny.TextPath],
            ["data", "prepare", "--data", tiny.TextPath, "--output-dir", tiny.TextPath], ["cache", "list", "--cache-dir", tiny.TextPath], ["cache", "clean", "--cache-dir", tiny.TextPath],
            ["runs", "--output-dir", tiny.TextPath], ["doctor", "--output-dir", tiny.TextPath],
        ];
        foreach (string[] command in commands)
        {
            ProcessResult result = QApolloProcess.Run(command);
            Assert.True(result.ExitCode == 2, $"{string.Join(' ', command)}: {result.ExitCode} {result.Error}");
            Assert.Contains($"-dir: {tiny.TextPath} is a file; name a folder", result.Error, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("metrics.jsonl")]
    [InlineData("tokenizer")]
    public void A_folder_with_files_of_those_names_that_are_no_runs_is_left_alone(string name)
    {
        string file = Path.Combine(tiny.Folder, "mine", name);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, "mine");
        ProcessResult result = QApolloProcess.Run(tiny.Train("mine", 1));
        Assert.Equal(2, result.ExitCode);
        Assert.Contains($"holds a '{name}' that is of no run", result.Error, StringComparison.Ordinal);
        Assert.Equal([file], Directory.GetFiles(Path.GetDirectoryName(file)!));
        Assert.Equal("mine", File.ReadAllText(file));
    }

    [Fact]
    public void Changed_options_of_a_resumed_run_are_told_and_what_cannot_change_is_refused()
    {
        QApolloProcess.Run(tiny.Train("run", 1));
        string[] resume = ["train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", "2"];
        ProcessResult refused = QApolloProcess.Run([.. resume, "--seq-len", "8", "--weights", "bf16", "--optimizer", "adamw", "--from-scratch"]);
        Assert.Equal((2, string.Empty), (refused.ExitCode, refused.Output));
        foreach (string line in (string[])["--seq-len: the run has 16, not 8", "--weights: the run has int8, not bf16", "--optimizer: the run has apollo-mini, not adamw", "--from-scratch: the run has off, not on"])
        {
            Assert.Contains(line, refused.Error, StringComparison.Ordinal);
        }

        ProcessResult changed = QApolloProcess.Run(
            [.. resume, "--lr", "0.005", "--batch-size", "4", "--data", tiny.TextPath, "--weights", "int8", "--no-limiter", "--quiet"]);
        Assert.True(changed.ExitCode == 0, changed.Error);
        string[] lines = [.. changed.Output.ReplaceLineEndings("\n").Split('\n').Where(line => line.StartsWith("changed: ", StringComparison.Ordinal))];
        Assert.Equal(
            ["changed: --batch-size 2 -> 4", "changed: --lr 0.01 -> 0.005", "changed: --max-steps 1 -> 2", "changed: --no-limiter off -> on"], lines.Order(StringComparer.Ordinal));
        using var options = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(tiny.RunFolder("run"), "run.json")));
        Assert.Equal(0.005, options.RootElement.GetProperty("lr").GetDouble());
    }

    private string TrainTokenizer(string name, int size)
    {
        string path = Path.Combine(tiny.Folder, name);
        ProcessResult result = QApolloProcess.Run("tokenizer", "train", "--data", tiny.TextPath, "--vocab-size", $"{size}", "--output", path);
        Assert.True(result.ExitCode == 0, result.Error);
        return path;
    }

    private void WidenModel() =>
        File.WriteAllText(tiny.ModelPath, File.ReadAllText(tiny.ModelPath).Replace("\"vocab_size\": 260", "\"vocab_size\": 320", StringComparison.Ordinal));
}
