using System.Text.Json;
using QApollo.Checkpoints;
using QApollo.Models;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Cli.Tests.Commands;

/// <summary>From a downloaded folder to a better model: train, score and generate with the folder's own tokenizer.</summary>
public sealed class ContinuedTrainingTests : IDisposable
{
    private readonly TinyRun _tiny = new();

    private string ModelFolderPath => Path.Combine(_tiny.Folder, "model");

    public void Dispose() => _tiny.Dispose();

    [Theory]
    [InlineData("qwen3")]
    [InlineData("qwen2")]
    [InlineData("mistral")]
    public void A_folder_is_trained_on_with_its_own_tokenizer_and_careful_defaults(string kind)
    {
        WriteModel(kind);
        ProcessResult result = Train("run", "--max-steps", "3", "--weights", "int8", "--group-size", "32");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains($"weights of {ModelFolderPath}", result.Output, StringComparison.Ordinal);
        Assert.Matches("weights: INT8 groups of 32 differ from the stored values by 0\\.[2-6][0-9] %", result.Output);
        Assert.Contains("documents: begin with <s> (28), end with </s> (27)", result.Output, StringComparison.Ordinal);
        Assert.Contains("vocabulary: 40 rows for the 29 ids of ", result.Output, StringComparison.Ordinal);
        Assert.Contains("--lr 0.0003", result.Output, StringComparison.Ordinal);
        using JsonDocument run = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(_tiny.RunFolder("run"), "run.json")));
        Assert.Equal(ModelFolderPath, run.RootElement.GetProperty("tokenizer").GetString());

        // The loss before the first update is that of the model as it is scored by itself, in the same formats.
        string[] metrics = File.ReadAllLines(Path.Combine(_tiny.RunFolder("run"), "metrics.jsonl"));
        using JsonDocument first = JsonDocument.Parse(metrics[0]);
        Assert.Equal(0, first.RootElement.GetProperty("step").GetInt32());
        double before = first.RootElement.GetProperty("validationLoss").GetDouble();
        Assert.Equal(Score(ModelFolderPath, "--weights", "int8"), before, 2e-3);
        Assert.True(Score(_tiny.RunFolder("run")) < before);

        ProcessResult text = QApolloProcess.Run("generate", "--checkpoint", _tiny.RunFolder("run"), "--prompt", "abc", "--max-tokens", "5", "--threads", "1");
        Assert.True(text.ExitCode == 0, text.Error);
        Assert.StartsWith("abc", text.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Positions_and_windows_are_minded()
    {
        WriteModel("llama");
        ProcessResult longer = Train("run", "--max-steps", "1", "--seq-len", "80");
        Assert.True(longer.ExitCode == 0, longer.Error);
        Assert.Contains("note: sequences of 80 tokens are longer than the model's 64 positions", longer.Output, StringComparison.Ordinal);

        WriteModel("mistral", window: 32);
        ProcessResult windowed = Train("other", "--max-steps", "1", "--seq-len", "33");
        Assert.Equal(2, windowed.ExitCode);
        Assert.Contains("attention window (sliding_window 32)", windowed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_a_tokenizer_or_with_pickled_weights_is_refused_in_one_line()
    {
        WriteModel("llama");
        File.Delete(Path.Combine(ModelFolderPath, "tokenizer.json"));
        ProcessResult bare = Train("run", "--max-steps", "1");
        Assert.Equal(2, bare.ExitCode);
        Assert.Contains("has weights, but no tokenizer.json or .model", bare.Error, StringComparison.Ordinal);

        File.Move(Path.Combine(ModelFolderPath, "model.safetensors"), Path.Combine(ModelFolderPath, "pytorch_model.bin"));
        ProcessResult pickled = Train("run", "--max-steps", "1");
        Assert.Equal(2, pickled.ExitCode);
        Assert.Contains("its weights are pickled (pytorch_model.bin)", pickled.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_tiny.RunFolder("run")));
    }

    /// <summary>Letters and a space, an end token and a start token that the template puts in front.</summary>
    private void WriteModel(string kind, int? window = null)
    {
        ModelArchitecture architecture = Enum.Parse<ModelArchitecture>(kind, ignoreCase: true);
        LlamaConfig config = new()
        {
            Architecture = architecture,
            HiddenSize = 32,
            IntermediateSize = 48,
            NumHiddenLayers = 2,
            NumAttentionHeads = 4,
            NumKeyValueHeads = 2,
            HeadDim = 12,
            VocabSize = 40,
            MaxPositionEmbeddings = 64,
            QueryKeyValueBias = architecture == ModelArchitecture.Qwen2,
            QueryKeyNorm = architecture == ModelArchitecture.Qwen3,
            SlidingWindow = window,
            TieWordEmbeddings = architecture == ModelArchitecture.Qwen2,
        };
        HuggingFaceFolder.Write(ModelFolderPath, config, seed: 6, SafetensorsDType.F16);
        string letters = string.Join(", ", Enumerable.Range(0, 26).Select(i => $"\"{(char)('a' + i)}\": {i}"));
        File.WriteAllText(Path.Combine(ModelFolderPath, "tokenizer.json"), $$"""
            {"added_tokens": [
               {"id": 27, "content": "</s>", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false},
               {"id": 28, "content": "<s>", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}],
             "normalizer": null, "pre_tokenizer": null, "decoder": null,
             "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0} }, {"Sequence": {"id": "A", "type_id": 0} }],
                "special_tokens": {"<s>": {"id": "<s>", "ids": [28], "tokens": ["<s>"]} } },
             "model": {"type": "BPE", "vocab": { {{letters}}, " ": 26 }, "merges": []} }
            """);
        File.WriteAllText(_tiny.TextPath, string.Concat(Enumerable.Range(0, 200).Select(i => $"abc def ghi {(char)('a' + (i * 7 % 26))}\n\n")).Replace('\n', ' '));
    }

    private ProcessResult Train(string run, params string[] more) => QApolloProcess.Run(
    [
        "train", "--model", ModelFolderPath, "--data", _tiny.TextPath, "--valid-data", _tiny.TextPath, "--output-dir", _tiny.RunFolder(run),
        "--cache-dir", Path.Combine(_tiny.Folder, "cache"), "--batch-size", "2", "--threads", "1", "--eval-every", "0", "--plain", "--head-weights", "f32",
        .. more.Contains("--seq-len") ? more : [.. more, "--seq-len", "16"],
    ]);

    private double Score(string model, params string[] more)
    {
        ProcessResult result = QApolloProcess.Run(
        [
            "eval", "--checkpoint", model, "--data", _tiny.TextPath, "--seq-len", "16", "--cache-dir", Path.Combine(_tiny.Folder, "cache"), "--threads", "1",
            "--json", .. more,
        ]);
        Assert.True(result.ExitCode == 0, result.Error);
        using JsonDocument score = JsonDocument.Parse(result.Output);
        return score.RootElement.GetProperty("loss").GetDouble();
    }
}
