using Xunit;

namespace QApollo.Cli.Tests;

/// <summary>`--layers host` end to end: the same files, the same text, the same score as with layers on the device.</summary>
public class LayerStreamingTests
{
    [Fact]
    public void A_run_its_resumption_and_its_model_are_those_of_layers_on_the_device()
    {
        using var tiny = new TinyRun();
        string plain = TrainAndResume(tiny, "plain");
        string streamed = TrainAndResume(tiny, "streamed", "--layers", "host", "--layer-slots", "2", "--boundaries", "host");
        foreach (string file in (string[])["model.safetensors", "optimizer.safetensors"])
        {
            Assert.Equal(File.ReadAllBytes(Path.Combine(plain, file)), File.ReadAllBytes(Path.Combine(streamed, file)));
        }

        Assert.Contains("\"layers\": \"host\"", File.ReadAllText(Path.Combine(tiny.RunFolder("streamed"), "run.json")), StringComparison.Ordinal);
        foreach (string command in (string[])["generate --prompt Line --max-tokens 12 --temperature 0", $"eval --data {tiny.TextPath} --cache-dir {Path.Combine(tiny.Folder, "cache")} --max-tokens 200"])
        {
            string options = $"{command} --checkpoint {plain} --device cpu --threads 1";
            CliResult expected = Cli.Run(options);
            CliResult actual = Cli.Run($"{options} --layers host");
            Assert.Equal((0, 0), (expected.ExitCode, actual.ExitCode));
            Assert.Equal(expected.Output, actual.Output);
        }
    }

    [Theory]
    [InlineData("--layers card", "device, host")]
    [InlineData("--layers host --layer-slots 5", "from 2 to 4")]
    public void Bad_values_are_refused_with_what_would_be_right(string options, string expected)
    {
        CliResult result = Cli.Run($"plan {options}");
        Assert.Equal((2, string.Empty), (result.ExitCode, result.Output));
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
    }

    /// <returns>The last checkpoint.</returns>
    private static string TrainAndResume(TinyRun tiny, string run, params string[] more)
    {
        CliResult first = Cli.Run(string.Join(' ', (string[])[.. tiny.Train(run, steps: 2, more), "--device", "cpu", "--quiet"]));
        Assert.True(first.ExitCode == 0, first.Error);
        CliResult second = Cli.Run($"train --resume --output-dir {tiny.RunFolder(run)} --max-steps 4 --quiet");
        Assert.True(second.ExitCode == 0, second.Error);
        return Path.Combine(tiny.RunFolder(run), "step-000004");
    }
}
