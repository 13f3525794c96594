using QApollo.Checkpoints;
using QApollo.Checkpoints.Interchange;
using QApollo.Checkpoints.Interchange.Gguf;
using QApollo.Checkpoints.Interchange.HuggingFace;
using QApollo.Data.Tokenizers;
using QApollo.Data.Tokenizers.Interchange;
using QApollo.Models;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Interchange.Tests;

/// <summary>What cannot be exported is said in one line; what is interrupted leaves nothing.</summary>
public sealed class ExportFaultTests : IDisposable
{
    private static readonly DocumentTokens Documents = new(256, 256, 512);

    private readonly TempFolder _temp = new();

    public void Dispose() => _temp.Dispose();

    /// <summary>Stops the export at its second report.</summary>
    private sealed class Stop : IProgress<ExportProgress>, IDisposable
    {
        private readonly CancellationTokenSource _source = new();
        private int _reports;

        public CancellationToken Token => _source.Token;

        public void Report(ExportProgress value)
        {
            Assert.InRange(value.Written, 1, value.Total);
            if (++_reports == 2)
            {
                _source.Cancel();
            }
        }

        public void Dispose() => _source.Dispose();
    }

    [Fact]
    public void An_interrupted_folder_leaves_what_was_there()
    {
        using ModelFolder model = Model();
        HuggingFaceExport.Write(model, HuggingFace(ExportDType.F32));
        byte[] before = File.ReadAllBytes(_temp.File("out/model.safetensors"));
        using var stop = new Stop();
        Assert.Throws<OperationCanceledException>(() => HuggingFaceExport.Write(model, HuggingFace(ExportDType.BF16) with { Replace = true }, stop, stop.Token));
        Assert.Equal(["model", "out"], _temp.Names);
        Assert.Equal(before, File.ReadAllBytes(_temp.File("out/model.safetensors")));
        HuggingFaceExport.Write(model, HuggingFace(ExportDType.BF16) with { Replace = true });
        Assert.Equal(["model", "out"], _temp.Names);
        Assert.True(before.Length > new FileInfo(_temp.File("out/model.safetensors")).Length);
    }

    [Fact]
    public void An_interrupted_file_leaves_nothing()
    {
        using ModelFolder model = Model();
        using var stop = new Stop();
        Assert.Throws<OperationCanceledException>(() => GgufExport.Write(model, Gguf(ExportDType.F32), stop, stop.Token));
        Assert.Equal(["model"], _temp.Names);
    }

    [Fact]
    public void INT8_needs_INT8()
    {
        using ModelFolder model = Model();
        Refused("not in INT8 groups; export bf16, f16 or f32", () => HuggingFaceExport.Write(model, HuggingFace(ExportDType.Int8)));
    }

    [Fact]
    public void A_weight_beyond_F16_is_refused()
    {
        using ModelFolder model = Model(scale: 1e8f);
        Refused("beyond F16, which ends at 65504", () => HuggingFaceExport.Write(model, HuggingFace(ExportDType.F16)));
        Refused("beyond Q8_0", () => GgufExport.Write(model, Gguf(ExportDType.Q8)));
        Assert.Equal(["model"], _temp.Names);
    }

    [Fact]
    public void A_tokenizer_of_a_larger_model_is_refused()
    {
        using ModelFolder model = Model(vocabulary: 250);
        Refused("the tokenizer has 257 ids, the model only 250", () => GgufExport.Write(model, Gguf(ExportDType.F32)));
    }

    [Fact]
    public void Llama_3_rope_in_Qwen_is_refused()
    {
        using ModelFolder model = Model(change: config => config with
        {
            Architecture = ModelArchitecture.Qwen2,
            QueryKeyValueBias = true,
            RopeScaling = new RotaryScaling { Kind = RotaryScalingKind.Llama3, Factor = 8, OriginalMaxPositionEmbeddings = 64 },
        });
        Refused("family llama only", () => GgufExport.Write(model, Gguf(ExportDType.F32)));
    }

    [Theory]
    [InlineData("bpe-user.model", "needs a piece for each byte")]
    [InlineData("unigram.json", "only take this kind of tokenizer.json when it is BPE")]
    public void A_tokenizer_that_llama_cpp_lacks_is_refused(string golden, string message)
    {
        string path = Path.Combine(TokenizerFixtures.Goldens, golden);
        ITokenizer tokenizer = TokenizerLoader.Load(path);
        var tokens = new DocumentTokens(null, tokenizer.EndOfDocument, 512);
        Refused(message, () => TokenizerExport.Load(path).Gguf(tokens));
    }

    [Theory]
    [InlineData("""{"type":"Sequence","pretokenizers":[{"type":"Punctuation"},{"type":"ByteLevel","add_prefix_space":false}]}""")]
    [InlineData("""{"type":"ByteLevel","add_prefix_space":true}""")]
    public void A_pattern_without_a_name_is_refused(string preTokenizer)
    {
        string path = TokenizerFixtures.Write("bpe-gpt2", _temp.Path);
        System.Text.Json.Nodes.JsonNode json = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(path))!;
        json["pre_tokenizer"] = System.Text.Json.Nodes.JsonNode.Parse(preTokenizer);
        File.WriteAllText(path, json.ToJsonString());
        var tokens = new DocumentTokens(null, TokenizerLoader.Load(path).EndOfDocument, 512);
        Refused("llama.cpp has no name for this tokenizer's pre_tokenizer", () => TokenizerExport.Load(path).Gguf(tokens));
    }

    [Fact]
    public void What_came_with_a_tokenizer_goes_along_and_stays_readable_for_older_programs()
    {
        TokenizerFixtures.Write("bpe-gpt2", _temp.Path);
        File.WriteAllText(_temp.File("tokenizer_config.json"), """{"tokenizer_class":"TokenizersBackend","backend":"tokenizers","is_local":true,"bos_token":"<|endoftext|>","chat_template":"{{ x }}"}""");
        File.WriteAllText(_temp.File("special_tokens_map.json"), "{}");
        int end = TokenizerLoader.Load(_temp.Path).EndOfDocument;
        TokenizerExport export = TokenizerExport.Load(_temp.Path);
        IReadOnlyList<InterchangeFile> files = export.HuggingFaceFiles(new DocumentTokens(null, end, 512));

        Assert.Equal(["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"], files.Select(file => file.Name));
        Assert.Equal(File.ReadAllBytes(_temp.File("tokenizer.json")), files[0].Content.ToArray());
        string config = System.Text.Encoding.UTF8.GetString(files[1].Content.Span);
        Assert.Contains("PreTrainedTokenizerFast", config, StringComparison.Ordinal);
        Assert.DoesNotContain("backend", config, StringComparison.OrdinalIgnoreCase);
        Assert.Equal("{{ x }}", export.Gguf(new DocumentTokens(null, end, 512)).ChatTemplate);
    }

    private static void Refused(string message, Action action) =>
        Assert.Contains(message, Assert.Throws<UsageException>(action).Message, StringComparison.Ordinal);

    private ModelFolder Model(int vocabulary = 260, float scale = 1, Func<LlamaConfig, LlamaConfig>? change = null)
    {
        LlamaConfig config = TinyModels.Llama(vocabulary);
        string folder = _temp.File("model");
        Directory.CreateDirectory(folder);
        TinyModels.Write(folder, change is null ? config : change(config), scale: scale);
        return new ModelFolder(folder);
    }

    private HuggingFaceExportOptions HuggingFace(ExportDType dtype) => new() { Output = _temp.File("out"), DType = dtype, Name = "model" };

    private GgufExportOptions Gguf(ExportDType dtype) => new()
    {
        Output = _temp.File("out.gguf"),
        DType = dtype,
        Name = "model",
        Vocabulary = TokenizerExport.Load("bytes").Gguf(Documents),
    };
}
