using System.Text.Json.Nodes;
using QApollo.Checkpoints;
using QApollo.Models;
using Xunit;

namespace QApollo.Cli.Tests.Attacks;

/// <summary>What attackers have found once.</summary>
[Collection(ConsoleCollection.Name)]
public sealed class FaultTests : IDisposable
{
    private const string Escape = "\u001b]0;owned\u0007";

    private readonly TinyRun _tiny = new();

    public static TheoryData<byte[]> BadTexts =>
    [
        [.. "{\"mod"u8, 0xFF, .. "el\":\"demo\"}"u8],
        [.. "{\"model\":\"d"u8, 0xFF, .. "emo\"}"u8],
        [.. "{\"model\":\"\\ud800\"}"u8],
        [.. "{\"data\":[\"\\udc00\"]}"u8],
    ];

    public void Dispose() => _tiny.Dispose();

    [Theory]
    [MemberData(nameof(BadTexts))]
    public void Text_that_is_no_Unicode_is_named(byte[] json)
    {
        File.WriteAllBytes(In("options.json"), json);
        CallResult result = InProcess.Run(_tiny.Train("run", 1, "--config", In("options.json")));
        Assert.Equal(2, result.ExitCode);
        Assert.StartsWith($"qapollo: {In("options.json")}: contains text that is not valid Unicode", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2147483647)]
    [InlineData(2147483520)]
    [InlineData(2147480000)]
    public void A_vocabulary_that_cannot_be_counted_is_refused(int vocabulary)
    {
        File.WriteAllText(_tiny.ModelPath, File.ReadAllText(_tiny.ModelPath).Replace("260", $"{vocabulary}", StringComparison.Ordinal));
        foreach (string[] arguments in (string[][])[_tiny.Train("run", 1), _tiny.Train("run", 1, "--quiet"), _tiny.Train("run", 1, "--sample-tokens", "0", "--weights", "f32", "--head-weights", "f32"), ["plan", "--model", _tiny.ModelPath]])
        {
            CallResult result = InProcess.Run(arguments);
            Assert.Null(Verdict.Of(arguments[0], result));
            Assert.NotEqual(0, result.ExitCode);
        }
    }

    [Fact]
    public void A_model_that_is_not_finite_has_no_score()
    {
        LlamaConfig config = LlamaConfigJson.Read(_tiny.ModelPath);
        WriteModel("model", config, float.NaN, extra: null);
        string[] arguments = ["eval", "--checkpoint", In("model"), "--tokenizer", "bytes", "--data", _tiny.TextPath, "--cache-dir", In("cache"), "--max-tokens", "20"];
        CallResult result = InProcess.Run(arguments);
        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith($"qapollo: {Path.Combine(In("model"), CheckpointFolder.ModelFile)}: holds values in ", result.Error, StringComparison.Ordinal);
        Assert.Contains("not finite", result.Error, StringComparison.Ordinal);
        Assert.Empty(result.Output);
        Assert.Equal(1, InProcess.Run([.. arguments, "--json"]).ExitCode);
    }

    [Fact]
    public void A_short_score_scores_as_many_tokens_as_asked()
    {
        WriteModel("model", LlamaConfigJson.Read(_tiny.ModelPath), 0.01f, extra: null);
        CallResult result = InProcess.Run(
            "eval", "--checkpoint", In("model"), "--tokenizer", "bytes", "--data", _tiny.TextPath, "--cache-dir", In("cache"), "--max-tokens", "7", "--json");
        Assert.Equal(7, JsonNode.Parse(result.Output)!["tokens"]!.GetValue<long>());
    }

    [Fact]
    public void Nothing_from_elsewhere_steers_a_terminal()
    {
        WriteModel("model", LlamaConfigJson.Read(_tiny.ModelPath), 0.01f, extra: Escape);
        File.WriteAllText(In("options.json"), "{\"\\u001b[31mx\":\"demo\",\"optimizer\":\"\\u001b]0;P\\u0007\"}");
        Directory.CreateDirectory(In("sharded"));
        File.Copy(_tiny.ModelPath, Path.Combine(In("sharded"), "config.json"));
        File.WriteAllText(Path.Combine(In("sharded"), "model.safetensors.index.json"), "{\"weight_map\":{\"\\u001b[2Jx\":5}}");
        var calls = new List<string[]>
        {
            (string[])["generate", "--checkpoint", In("model"), "--tokenizer", "bytes", "--prompt", "ab"],
            (string[])["generate", "--checkpoint", In("sharded"), "--tokenizer", "bytes", "--prompt", "ab"],
            _tiny.Train("refused", 1, "--config", In("options.json")),
            _tiny.Train("run", 1, "--sample-prompt", Escape + "\r\u202e", "--sample-tokens", "4"),
            (string[])["train", Escape],
            (string[])["plan", "--model", Escape],
        };
        if (!OperatingSystem.IsWindows())
        {
            string hostile = In($"a{Escape}.txt");
            File.WriteAllBytes(hostile, [.. "some text, "u8, 0xFF, .. " and more of it"u8]);
            calls.Add(["data", "prepare", "--data", hostile, "--cache-dir", In("cache")]);
        }

        foreach (string[] call in calls)
        {
            CallResult result = InProcess.Run(call);
            string all = result.Output + result.Error;
            Assert.True(!all.Any(character => (char.IsControl(character) && character is not ('\n' or '\r')) || character == '\u202e'), string.Join(' ', call) + all);
            Assert.True(all.Contains('\uFFFD', StringComparison.Ordinal) || all.Contains('?', StringComparison.Ordinal), string.Join(' ', call) + all);
        }
    }

    [Fact]
    public void Another_text_of_the_same_length_is_told_even_with_quiet()
    {
        Assert.Equal(0, InProcess.Run(_tiny.Train("run", 1)).ExitCode);
        string[] resume = ["train", "--resume", "--output-dir", In("run"), "--quiet", "--max-steps", "2", "--schedule", "constant"];
        File.WriteAllText(_tiny.TextPath, File.ReadAllText(_tiny.TextPath).Replace("small", "other", StringComparison.Ordinal));
        CallResult result = InProcess.Run(resume);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("the training data has other tokens", result.Output + result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_goes_on_from_another_folder()
    {
        Directory.CreateDirectory(In("elsewhere"));
        ProcessResult begun = QApolloProcess.RunIn(
            _tiny.Folder, "train", "--model", "config.json", "--data", "text.txt", "--cache-dir", "cache", "--output-dir", "run", "--max-steps", "1",
            "--batch-size", "1", "--seq-len", "16", "--threads", "1");
        Assert.True(begun.ExitCode == 0, begun.Error);
        ProcessResult resumed = QApolloProcess.RunIn(In("elsewhere"), "train", "--resume", "--output-dir", "../run", "--max-steps", "2");
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.Equal(["elsewhere"], Directory.EnumerateFileSystemEntries(_tiny.Folder, "elsewhere*").Select(path => Path.GetFileName(path)));
        Assert.Empty(Directory.EnumerateFileSystemEntries(In("elsewhere")));
    }

    [Fact]
    public void Planted_links_are_not_followed()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        File.WriteAllText(In("precious"), "precious");
        Directory.CreateDirectory(In("run"));
        foreach (string name in (string[])["run.json.tmp", "run.json", "metrics.jsonl", "metrics.jsonl.tmp", "step-000001.partial.lock"])
        {
            File.CreateSymbolicLink(Path.Combine(In("run"), name), In("precious"));
        }

        Directory.CreateDirectory(In("folder"));
        File.WriteAllText(Path.Combine(In("folder"), "kept"), "kept");
        Directory.CreateSymbolicLink(Path.Combine(In("run"), "step-000001.partial"), In("folder"));
        CallResult result = InProcess.Run(_tiny.Train("run", 1));
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal("precious", File.ReadAllText(In("precious")));
        Assert.Equal(["kept"], Directory.EnumerateFileSystemEntries(In("folder")).Select(path => Path.GetFileName(path)));
        CheckpointFolder.Verify(Path.Combine(In("run"), CheckpointFolder.NameOf(1)));
    }

    [Fact]
    public void A_shard_cut_short_during_a_run_is_an_error()
    {
        if (OperatingSystem.IsWindows())
        {
            // A file that is read cannot be cut short there.
            return;
        }

        string[] arguments = _tiny.Train("run", 1_000_000, "--schedule", "constant");
        using RunningProcess process = QApolloProcess.Start(_tiny.Folder, arguments);
        process.WaitForSteps(In("run"));
        string shard = Directory.EnumerateFiles(In("cache"), "train-000000.bin", SearchOption.AllDirectories).Single();
        using (var file = new FileStream(shard, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            file.SetLength(1500);
        }

        ProcessResult result = process.WaitForEnd();
        Assert.True(result.ExitCode == 1, $"{result.ExitCode} {result.Output} {result.Error}");
        Assert.Contains("became shorter while it was read", result.Error, StringComparison.Ordinal);
    }

    /// <summary>A Hugging Face folder in which every value is the same.</summary>
    /// <param name="extra">Name of a tensor that the model has no place for; null for none.</param>
    private void WriteModel(string name, LlamaConfig config, float value, string? extra)
    {
        Directory.CreateDirectory(In(name));
        File.WriteAllBytes(Path.Combine(In(name), CheckpointFolder.ConfigFile), LlamaConfigJson.ToUtf8(config, "float32"));
        IEnumerable<SafetensorsDeclaration> tensors = ParameterTable.Of(config).Select(parameter => parameter.IsNorm
            ? new SafetensorsDeclaration(parameter.Name, SafetensorsDType.F32, parameter.Columns)
            : new SafetensorsDeclaration(parameter.Name, SafetensorsDType.F32, parameter.Rows, parameter.Columns));
        if (extra is not null)
        {
            tensors = tensors.Append(new SafetensorsDeclaration(extra, SafetensorsDType.F32, 1));
        }

        using var writer = new SafetensorsWriter(Path.Combine(In(name), CheckpointFolder.ModelFile), tensors);
        foreach (SafetensorsEntry entry in writer.Entries)
        {
            writer.Write(entry, (_, piece) => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(piece).Fill(value));
        }

        writer.Complete();
    }

    private string In(string name) => Path.Combine(_tiny.Folder, name);
}
