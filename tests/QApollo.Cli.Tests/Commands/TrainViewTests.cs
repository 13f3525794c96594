using System.Text.Json;
using QApollo.Checkpoints;
using Xunit;

namespace QApollo.Cli.Tests.Commands;

/// <summary>What `train` shows in a pipe, its samples, and where its weights come from.</summary>
public class TrainViewTests(TrainedModel model) : IClassFixture<TrainedModel>
{
    [Fact]
    public void In_a_pipe_there_are_plain_lines_with_samples_now_and_then_and_at_the_end()
    {
        string output = model.Training.Output;
        Assert.DoesNotContain('\u001b', output);
        Assert.Contains("step 1/8  loss ", output, StringComparison.Ordinal);
        Assert.Contains("step 4/8  sample: Line", output, StringComparison.Ordinal);
        Assert.Single(output.ReplaceLineEndings("\n").Split('\n'), line => line.StartsWith("step 8/8  sample: Line", StringComparison.Ordinal));
    }

    [Fact]
    public void Quiet_leaves_one_line_and_the_same_bytes_as_a_run_with_samples()
    {
        ProcessResult result = QApolloProcess.Run(model.Tiny.Train("quiet", 8, "--save-every", "4", "--quiet"));
        string line = Assert.Single(result.Output.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n'));
        Assert.StartsWith($"done: {model.Tiny.RunFolder("quiet")}, validation loss ", line, StringComparison.Ordinal);
        TrainCommandTests.RequireEqualFolders(model.Checkpoint(8), Path.Combine(model.Tiny.RunFolder("quiet"), "step-000008"));
    }

    [Fact]
    public void A_model_folder_gives_its_weights_unless_told_otherwise()
    {
        double later = FirstLoss("on", model.Run);
        double again = FirstLoss("fresh", model.Run, "--from-scratch");
        double begin = FirstLoss("begin", model.Tiny.ModelPath);
        Assert.True(later < begin - 0.05, $"{later} against {begin}");
        Assert.Equal(begin, again, 1e-6);
    }

    [Fact]
    public void A_model_folder_whose_weights_do_not_fit_is_named()
    {
        string folder = Path.Combine(model.Tiny.Folder, "other");
        Directory.CreateDirectory(folder);
        File.Copy(Path.Combine(model.Checkpoint(8), CheckpointFolder.ModelFile), Path.Combine(folder, CheckpointFolder.ModelFile));
        File.WriteAllText(
            Path.Combine(folder, "config.json"),
            File.ReadAllText(Path.Combine(model.Checkpoint(8), "config.json")).Replace("\"intermediate_size\": 48", "\"intermediate_size\": 64", StringComparison.Ordinal));
        ProcessResult result = QApolloProcess.Run(["train", "--model", folder, "--tokenizer", "bytes", .. model.Tiny.Train("misfit", 1)[3..]]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("model.layers.0.mlp.gate_proj.weight U8[48, 32], but config.json makes it U8[64, 32]", result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(model.Tiny.RunFolder("misfit")));
    }

    private double FirstLoss(string run, string from, params string[] more)
    {
        // Train's arguments begin with "train --model <config>".
        ProcessResult result = QApolloProcess.Run(["train", "--model", from, .. model.Tiny.Train(run, 1, more)[3..]]);
        Assert.True(result.ExitCode == 0, result.Error);
        string line = File.ReadLines(Path.Combine(model.Tiny.RunFolder(run), "metrics.jsonl")).First(line => line.Contains("\"loss\"", StringComparison.Ordinal));
        return JsonDocument.Parse(line).RootElement.GetProperty("loss").GetDouble();
    }
}
