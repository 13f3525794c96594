using QApollo.Cli.Tests.Attacks;
using QApollo.Models;
using Xunit;

namespace QApollo.Cli.Tests.Options;

/// <summary>Presets in other shapes, and runs that are only prepared.</summary>
[Collection(ConsoleCollection.Name)]
public class ShapeOptionsTests
{
    [Fact]
    public void A_preset_in_another_shape_is_trained_saved_and_resumed()
    {
        using var tiny = new TinyRun();
        string[] arguments = [.. tiny.Train("run", 2, "--model", "demo", "--n-layer", "1", "--n-head", "4", "--n-kv-head", "2", "--hidden-size", "32", "--intermediate-size", "40")];
        CallResult result = InProcess.Run(arguments);
        Assert.True(result.ExitCode == 0, result.Error);
        LlamaConfig config = LlamaConfigJson.Read(Path.Combine(tiny.RunFolder("run"), "step-000002", "config.json"));
        Assert.Equal((1, 4, 2, 32, 40, 8), (config.NumHiddenLayers, config.NumAttentionHeads, config.NumKeyValueHeads, config.HiddenSize, config.IntermediateSize, config.HeadDim));

        CallResult resumed = InProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", "3");
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        CallResult other = InProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", "4", "--n-layer", "2");
        Assert.Equal(2, other.ExitCode);
        Assert.Contains("--n-layer: the run has 1, not 2", other.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("demo", "--n-head", "7", "--n-head: 7 heads do not divide")]
    [InlineData("demo", "--n-kv-head", "3", "num_key_value_heads 3")]
    [InlineData("config.json", "--n-layer", "2", "--n-layer: is for presets")]
    public void A_shape_that_cannot_be_is_refused(string model, string option, string value, string expected)
    {
        using var tiny = new TinyRun();
        CallResult result = InProcess.Run("plan", "--model", model == "demo" ? model : tiny.ModelPath, option, value);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_dry_run_goes_up_to_the_first_step_and_leaves_nothing()
    {
        using var tiny = new TinyRun();
        CallResult result = InProcess.Run(tiny.Train("run", 2, "--dry-run"));
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("dry run: ready for step 1 of 2", result.Output, StringComparison.Ordinal);
        Assert.Contains("memory: ", result.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(tiny.RunFolder("run")));

        Assert.Equal(0, InProcess.Run(tiny.Train("run", 2)).ExitCode);
        string[] before = Directory.GetFileSystemEntries(tiny.RunFolder("run"), "*", SearchOption.AllDirectories);
        byte[] options = File.ReadAllBytes(Path.Combine(tiny.RunFolder("run"), "run.json"));
        CallResult again = InProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", "4", "--dry-run");
        Assert.True(again.ExitCode == 0, again.Error);
        Assert.Contains("dry run: ready for step 3 of 4", again.Output, StringComparison.Ordinal);
        Assert.Equal(before.Order(), Directory.GetFileSystemEntries(tiny.RunFolder("run"), "*", SearchOption.AllDirectories).Order());
        Assert.Equal(options, File.ReadAllBytes(Path.Combine(tiny.RunFolder("run"), "run.json")));
    }
}
