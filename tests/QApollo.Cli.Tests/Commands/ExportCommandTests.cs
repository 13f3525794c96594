using Xunit;

namespace QApollo.Cli.Tests.Commands;

public class ExportCommandTests(TrainedModel model) : IClassFixture<TrainedModel>
{
    [Fact]
    public void A_folder_for_others_scores_as_the_run_does()
    {
        string output = Target();
        ProcessResult result = Export("--format", "hf", "--dtype", "f32", "--output", output, "--data", model.Tiny.TextPath, "--cache-dir", Cache);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains($"wrote {output}: ", result.Output, StringComparison.Ordinal);
        Assert.Contains("the model has 260 rows for the tokenizer's 257 ids", result.Output, StringComparison.Ordinal);

        string line = result.Output.Split('\n').Single(text => text.StartsWith("perplexity ", StringComparison.Ordinal));
        string[] words = line.Split(' ');
        Assert.Equal(words[1], words[4]);
        Assert.Equal(Loss(model.Run), Loss(output));
        Assert.True(File.Exists(Path.Combine(output, "tokenizer.json")));
    }

    [Fact]
    public void A_file_for_llama_cpp_is_replaced_only_when_asked()
    {
        string output = Target() + ".gguf";
        Assert.Equal(0, Export("--format", "gguf", "--dtype", "q8_0", "--output", output).ExitCode);
        byte[] first = File.ReadAllBytes(output);
        Assert.Equal("GGUF"u8.ToArray(), first[..4]);

        ProcessResult refused = Export("--format", "gguf", "--dtype", "f32", "--output", output);
        Assert.Equal(2, refused.ExitCode);
        Assert.Equal($"qapollo: --output: {output} exists; --force replaces it", refused.Error.Trim());
        Assert.Equal(first, File.ReadAllBytes(output));

        Assert.Equal(0, Export("--format", "gguf", "--dtype", "f32", "--output", output, "--force").ExitCode);
        Assert.True(new FileInfo(output).Length > first.Length);
    }

    [Fact]
    public void An_exported_folder_is_replaced_when_asked_but_no_other_folder()
    {
        string output = Target();
        Assert.Equal(0, Export("--output", output).ExitCode);
        Assert.Equal(2, Export("--output", output).ExitCode);
        Assert.Equal(0, Export("--output", output, "--force").ExitCode);

        ProcessResult refused = Export("--output", model.Tiny.Folder, "--force");
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("holds other things than an exported model", refused.Error, StringComparison.Ordinal);
        Assert.Equal(2, Export("--output", model.Checkpoint(8), "--force").ExitCode);
        Assert.True(File.Exists(model.Tiny.TextPath));
    }

    [Theory]
    [InlineData("q8_0 is for --format gguf", "--dtype", "q8_0")]
    [InlineData("int8 is for --format hf", "--format", "gguf", "--dtype", "int8")]
    [InlineData("no whole groups of 128", "--dtype", "int8")]
    [InlineData("--max-shard-size: '5' is no size", "--max-shard-size", "5")]
    [InlineData("was trained with another tokenizer", "--tokenizer", "Goldens")]
    public void What_cannot_be_is_one_line_and_leaves_nothing(string message, params string[] arguments)
    {
        string output = Target();
        if (arguments[^1] == "Goldens")
        {
            arguments[^1] = Path.Combine(TestSupport.Goldens.GoldenFolder.RepositoryRoot, "tests", "QApollo.Data.Tests", "Tokenizers", "Goldens", "bytes.json");
        }

        ProcessResult result = Export([.. arguments, "--output", output]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.Trim().Split('\n'));
        Assert.Empty(Directory.EnumerateFileSystemEntries(model.Tiny.Folder, Path.GetFileName(output) + "*"));
    }

    [Fact]
    public void What_is_missing_is_named()
    {
        ProcessResult result = QApolloProcess.Run("export");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--checkpoint: is needed", result.Error, StringComparison.Ordinal);
        Assert.Contains("--output: is needed", result.Error, StringComparison.Ordinal);
    }

    private string Cache => Path.Combine(model.Tiny.Folder, "cache");

    private string Target() => Path.Combine(model.Tiny.Folder, Guid.NewGuid().ToString("N"));

    private ProcessResult Export(params string[] more) => QApolloProcess.Run(["export", "--checkpoint", model.Run, "--device", "cpu", "--threads", "1", .. more]);

    private string Loss(string checkpoint)
    {
        ProcessResult result = QApolloProcess.Run(
            "eval", "--checkpoint", checkpoint, "--data", model.Tiny.TextPath, "--cache-dir", Cache, "--seq-len", "16", "--device", "cpu", "--threads", "1", "--weights", "f32");
        Assert.True(result.ExitCode == 0, result.Error);
        return result.Output.Split("  bits")[0].Split("loss ")[1];
    }
}
