using QApollo.Checkpoints;
using Xunit;

namespace QApollo.Cli.Tests.Commands;

public class GenerateCommandTests(TrainedModel model) : IClassFixture<TrainedModel>
{
    [Fact]
    public void The_same_seed_gives_the_same_text_from_the_run_and_from_its_newest_checkpoint()
    {
        ProcessResult first = Generate(model.Run, "--prompt", "Line 1", "--max-tokens", "20", "--seed", "3");
        ProcessResult second = Generate(model.Checkpoint(8), "--prompt", "Line 1", "--max-tokens", "20", "--seed", "3");
        ProcessResult third = Generate(model.Run, "--prompt", "Line 1", "--max-tokens", "20", "--seed", "4");
        Assert.StartsWith("Line 1", first.Output, StringComparison.Ordinal);
        Assert.True(first.Output.TrimEnd().Length > "Line 1".Length, first.Output);
        Assert.Equal(first.Output, second.Output);
        Assert.NotEqual(first.Output, third.Output);
        Assert.Contains("tokens/s", first.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_likeliest_text_does_not_depend_on_the_seed()
    {
        string[] greedy = ["--prompt", "Line 1", "--max-tokens", "12", "--temperature", "0"];
        Assert.Equal(Generate(model.Run, [.. greedy, "--seed", "3"]).Output, Generate(model.Run, [.. greedy, "--seed", "4"]).Output);
        Assert.Equal(
            Generate(model.Run, greedy).Output,
            Generate(model.Run, "--prompt", "Line 1", "--max-tokens", "12", "--top-k", "1", "--temperature", "2").Output);
    }

    [Fact]
    public void The_prompt_comes_from_standard_input_where_none_is_given()
    {
        string[] more = ["--checkpoint", model.Run, "--max-tokens", "12", "--threads", "1"];
        ProcessResult piped = QApolloProcess.RunWithInput("Line ä", ["generate", .. more]);
        Assert.True(piped.ExitCode == 0, piped.Error);
        Assert.StartsWith("Line ä", piped.Output, StringComparison.Ordinal);
        Assert.Equal(Generate(model.Run, "--prompt", "Line ä", "--max-tokens", "12").Output, piped.Output);
    }

    [Fact]
    public void The_model_can_be_kept_in_another_format() =>
        Assert.StartsWith("Line", Generate(model.Run, "--prompt", "Line", "--max-tokens", "4", "--weights", "f32").Output, StringComparison.Ordinal);

    [Fact]
    public void A_text_ends_at_the_models_length()
    {
        // max_position_embeddings is 64: the start, 6 bytes of prompt, and 57 of the text.
        ProcessResult result = Generate(model.Run, "--prompt", "Line 1", "--max-tokens", "1000", "--temperature", "0");
        Assert.InRange(int.Parse(result.Error.TrimStart().Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture), 1, 57);
    }

    [Fact]
    public void All_faults_are_reported_at_once()
    {
        ProcessResult result = QApolloProcess.Run("generate", "--temperature", "-1", "--top-p", "2");
        Assert.Equal(2, result.ExitCode);
        foreach (string fault in (string[])["--checkpoint: is needed", "--temperature: '-1'", "--top-p: '2'"])
        {
            Assert.Contains(fault, result.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void What_cannot_be_used_is_named_with_exit_code_2()
    {
        RequireUsage("no such folder", "--checkpoint", Path.Combine(model.Run, "none"), "--prompt", "a");
        RequireUsage("holds no model.safetensors", "--checkpoint", model.Tiny.Folder, "--prompt", "a");
        RequireUsage("max_position_embeddings", "--checkpoint", model.Run, "--prompt", new string('a', 64));
        RequireUsage("--device: 'tpu'", "--checkpoint", model.Run, "--prompt", "a", "--device", "tpu");
    }

    [Fact]
    public void A_damaged_checkpoint_is_named_with_exit_code_1()
    {
        string copy = Path.Combine(model.Tiny.Folder, "damaged");
        Directory.CreateDirectory(copy);
        foreach (string file in Directory.GetFiles(model.Checkpoint(8)))
        {
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }

        string path = Path.Combine(copy, CheckpointFolder.ModelFile);
        byte[] bytes = File.ReadAllBytes(path);
        bytes[^1] ^= 1;
        File.WriteAllBytes(path, bytes);
        ProcessResult result = QApolloProcess.Run("generate", "--checkpoint", copy, "--prompt", "a", "--tokenizer", "bytes");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("model.safetensors: does not match its checksum", result.Error, StringComparison.Ordinal);
    }

    private static void RequireUsage(string expected, params string[] arguments)
    {
        ProcessResult result = QApolloProcess.Run(["generate", .. arguments]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
    }

    private static ProcessResult Generate(string checkpoint, params string[] more)
    {
        ProcessResult result = QApolloProcess.Run(["generate", "--checkpoint", checkpoint, "--threads", "1", .. more]);
        Assert.True(result.ExitCode == 0, result.Error);
        return result;
    }
}
