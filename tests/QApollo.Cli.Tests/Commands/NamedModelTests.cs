using System.Text.Json;
using QApollo.Checkpoints;
using Xunit;

namespace QApollo.Cli.Tests.Commands;

/// <summary>What belongs to a model that is named comes with it: its tokenizer, its learning rate, its context.</summary>
public sealed class NamedModelTests : IDisposable
{
    private readonly TinyRun tiny = new();

    public void Dispose() => tiny.Dispose();

    [Fact]
    public void A_models_tokenizer_is_the_default_and_its_weights_start_low()
    {
        string tokenizer = Path.Combine(tiny.Folder, "mine.json");
        Require(QApolloProcess.Run("tokenizer", "train", "--data", tiny.TextPath, "--vocab-size", "300", "--output", tokenizer));
        File.WriteAllText(tiny.ModelPath, File.ReadAllText(tiny.ModelPath).Replace("\"vocab_size\": 260", "\"vocab_size\": 320", StringComparison.Ordinal));
        ProcessResult begun = Require(QApolloProcess.Run(tiny.Train("run", 8, "--tokenizer", tokenizer)));
        double last = Losses("run")[^1];

        // Of a run of ours.
        ProcessResult onward = Require(QApolloProcess.Run(Train("onward", tiny.RunFolder("run"))));
        Assert.Contains($"--tokenizer {Path.Combine(tiny.RunFolder("run"), "tokenizer")}", onward.Output, StringComparison.Ordinal);
        Assert.Contains("learning rate: 0.0003 (the default for weights that are trained on)", onward.Output, StringComparison.Ordinal);
        Assert.Equal(last, Losses("onward")[0], 0.2);

        // Of a folder as Hugging Face has it.
        string folder = HuggingFaceFolder(Path.Combine(tiny.RunFolder("run"), "tokenizer", "tokenizer.json"));
        ProcessResult continued = Require(QApolloProcess.Run(Train("continued", folder)));
        Assert.Contains($"--tokenizer {folder}", continued.Output, StringComparison.Ordinal);
        Assert.Equal(last, Losses("continued")[0], 0.2);

        // Another one is a choice, and is told.
        ProcessResult bytes = Require(QApolloProcess.Run(Train("bytes", folder, "--tokenizer", "bytes", "--quiet")));
        Assert.Contains($"note: --tokenizer bytes is not the model's own ({folder})", bytes.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("not the model's own", begun.Output + onward.Output + continued.Output, StringComparison.Ordinal);

        File.Delete(Path.Combine(folder, "tokenizer.json"));
        ProcessResult none = QApolloProcess.Run(Train("none", folder));
        Assert.Equal(2, none.ExitCode);
        Assert.Contains("has weights, but no tokenizer.json or .model", none.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(tiny.RunFolder("none")));
    }

    [Fact]
    public void Longer_sequences_than_the_models_positions_are_told_and_saved()
    {
        File.WriteAllText(tiny.ModelPath, File.ReadAllText(tiny.ModelPath).Replace("\"max_position_embeddings\": 64", "\"max_position_embeddings\": 12", StringComparison.Ordinal));
        ProcessResult result = Require(QApolloProcess.Run(tiny.Train("run", 1, "--quiet")));
        Assert.Contains("note: sequences of 16 tokens are longer than the model's 12 positions", result.Output, StringComparison.Ordinal);
        using (JsonDocument config = Config("run", 1))
        {
            Assert.Equal(16, config.RootElement.GetProperty("max_position_embeddings").GetInt32());
        }

        ProcessResult resumed = Require(QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", "2"));
        Assert.DoesNotContain("longer than the model's", resumed.Output, StringComparison.Ordinal);
        ProcessResult scored = Require(QApolloProcess.Run(
            "eval", "--checkpoint", tiny.RunFolder("run"), "--data", tiny.TextPath, "--seq-len", "128", "--max-tokens", "256", "--cache-dir", Path.Combine(tiny.Folder, "cache")));
        Assert.Contains("note: sequences of 128 tokens are longer than the model's 16 positions", scored.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_text_that_fills_the_models_context_says_so()
    {
        Require(QApolloProcess.Run(tiny.Train("run", 1)));
        ProcessResult full = Require(QApolloProcess.Run("generate", "--checkpoint", tiny.RunFolder("run"), "--prompt", "Line", "--max-tokens", "500", "--temperature", "0"));
        Assert.Contains("the model's context of 64 tokens is full (max_position_embeddings)", full.Error, StringComparison.Ordinal);
        ProcessResult limited = Require(QApolloProcess.Run("generate", "--checkpoint", tiny.RunFolder("run"), "--prompt", "Line", "--max-tokens", "5", "--temperature", "0"));
        Assert.Contains("5 tokens, not at the document's end (--max-tokens)", limited.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("int8", "bf16", "bfloat16")]
    [InlineData("bf16", "bf16", "bfloat16")]
    [InlineData("f32", "f32", "float32")]
    [InlineData("int8", "f32", "float32")]
    public void A_saved_model_says_how_it_is_stored_and_which_token_ends_a_document(string weights, string head, string expected)
    {
        Require(QApolloProcess.Run(tiny.Train("run", 1, "--weights", weights, "--head-weights", head)));
        using JsonDocument config = Config("run", 1);
        Assert.Equal(expected, config.RootElement.GetProperty("torch_dtype").GetString());
        Assert.Equal(256, config.RootElement.GetProperty("eos_token_id").GetInt32());
    }

    private static ProcessResult Require(ProcessResult result)
    {
        Assert.True(result.ExitCode == 0, result.Error);
        return result;
    }

    /// <summary>With no tokenizer named.</summary>
    private string[] Train(string run, string model, params string[] more) => ["train", "--model", model, .. tiny.Train(run, 1, more)[3..]];

    private double[] Losses(string run) =>
    [
        .. File.ReadAllLines(Path.Combine(tiny.RunFolder(run), "metrics.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)
            .Where(line => line.TryGetProperty("loss", out _)).Select(line => line.GetProperty("loss").GetDouble()),
    ];

    private JsonDocument Config(string run, int step) =>
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(tiny.RunFolder(run), CheckpointFolder.NameOf(step), CheckpointFolder.ConfigFile)));

    private string HuggingFaceFolder(string tokenizer)
    {
        string folder = Path.Combine(tiny.Folder, "hub");
        Directory.CreateDirectory(folder);
        foreach (string name in (string[])[CheckpointFolder.ModelFile, CheckpointFolder.ConfigFile])
        {
            File.Copy(Path.Combine(tiny.RunFolder("run"), CheckpointFolder.NameOf(8), name), Path.Combine(folder, name));
        }

        File.Copy(tokenizer, Path.Combine(folder, "tokenizer.json"));
        return folder;
    }
}
