using System.Text;
using System.Text.Json.Nodes;
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

/// <summary>What an export says beside the weights is what the model came with.</summary>
public sealed class ExportDetailTests : IDisposable
{
    private readonly TempFolder _temp = new();

    public void Dispose() => _temp.Dispose();

    public static TheoryData<string> Kinds =>
    [
        "bytes", "r50k_base", "bpe-gpt2", "bpe-llama3", "bpe-llama3-words", "bpe-qwen2", "bpe-smollm", "word-marks", "sentencepiece-bpe", "sentencepiece-unigram",
    ];

    /// <summary>One rule for both formats, with and without a start token that the run saw.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void Both_formats_put_the_same_start_token_before_a_text(string kind)
    {
        string name = TokenizerFixtures.Write(kind, _temp.Path);
        ITokenizer tokenizer = TokenizerLoader.Load(name);
        TokenizerExport export = TokenizerExport.Load(name);
        foreach (int? begin in (int?[])[null, tokenizer.EndOfDocument])
        {
            var tokens = new DocumentTokens(begin, tokenizer.EndOfDocument, 512);
            GgufVocabulary vocabulary = export.Gguf(tokens);
            byte[] json = export.HuggingFaceFiles(tokens)[0].Content.ToArray();
            File.WriteAllBytes(_temp.File("exported.json"), json);
            JsonNode? first = JsonNode.Parse(json)!["post_processor"]?["single"]?[0]?["SpecialToken"];
            Assert.Equal(export.BeginToken(tokens), vocabulary.BeginToken);
            Assert.Equal(vocabulary.BeginToken is not null, vocabulary.AddsBeginToken);
            Assert.Equal(vocabulary.AddsBeginToken, first is not null);
        }
    }

    /// <summary>A post-processor that puts nothing there is an answer too: what a run saw does not overrule it.</summary>
    [Fact]
    public void A_tokenizer_that_says_for_itself_is_believed()
    {
        string path = TokenizerFixtures.Write("bpe-gpt2", _temp.Path);
        JsonNode json = JsonNode.Parse(File.ReadAllText(path))!;
        json["post_processor"] = JsonNode.Parse("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""");
        File.WriteAllText(path, json.ToJsonString());
        TokenizerExport export = TokenizerExport.Load(path);
        int end = TokenizerLoader.Load(path).EndOfDocument;
        var tokens = new DocumentTokens(end, end, 512);
        Assert.Null(export.BeginToken(tokens));
        Assert.False(export.Gguf(tokens).AddsBeginToken);
        Assert.Equal(File.ReadAllBytes(path), export.HuggingFaceFiles(tokens)[0].Content.ToArray());
    }

    [Fact]
    public void What_came_with_a_SentencePiece_model_goes_along()
    {
        TokenizerFixtures.Write("sentencepiece-bpe", _temp.Path);
        File.WriteAllText(_temp.File("tokenizer_config.json"), """{"tokenizer_class":"LlamaTokenizer","add_bos_token":true,"bos_token":"<s>","legacy":false,"chat_template":"{{ x }}"}""");
        File.WriteAllText(_temp.File("special_tokens_map.json"), "{}");
        ITokenizer tokenizer = TokenizerLoader.Load(_temp.Path);
        TokenizerExport export = TokenizerExport.Load(_temp.Path);
        var tokens = new DocumentTokens(tokenizer.BeginOfDocument, tokenizer.EndOfDocument, 512);
        IReadOnlyList<InterchangeFile> files = export.HuggingFaceFiles(tokens);
        Assert.Equal(["tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json"], files.Select(file => file.Name));
        JsonNode config = JsonNode.Parse(files[1].Content.Span)!;
        Assert.Equal("LlamaTokenizer", config["tokenizer_class"]!.GetValue<string>());
        Assert.False(config["legacy"]!.GetValue<bool>());
        Assert.Equal("{{ x }}", config["chat_template"]!.GetValue<string>());
        Assert.Equal("{{ x }}", export.Gguf(tokens).ChatTemplate);
        Assert.Equal(tokenizer.BeginOfDocument, export.Gguf(tokens).BeginToken);
    }

    [Fact]
    public void All_end_tokens_of_a_model_are_kept()
    {
        using ModelFolder model = Model(config => config with { EosTokenId = 7, OtherEosTokenIds = new TokenIds(9, 11) });
        HuggingFaceExport.Write(model, HuggingFace(ExportDType.F32) with { EndToken = 9 });
        Assert.Equal("[9,7,11]", Json("config.json")["eos_token_id"]!.ToJsonString());
        Assert.Equal("[9,7,11]", Json("generation_config.json")["eos_token_id"]!.ToJsonString());
        using var read = new ModelFolder(_temp.File("out"));
        Assert.Equal(new TokenIds(9, 7, 11), read.Config.EosTokenIds);
    }

    [Theory]
    [InlineData("---\nlanguage: en\nlicense: apache-2.0\n---\n# A model\n", true)]
    [InlineData("---\nlicense: \"apache-2.0\"\n---\n", true)]
    [InlineData("# A model\nlicense: apache-2.0\n", false)]
    [InlineData("---\nlanguage: en\n---\nlicense: apache-2.0\n", false)]
    [InlineData("", false)]
    public void A_file_says_size_and_licence_of_the_model(string card, bool isLicensed)
    {
        using ModelFolder model = Model();
        File.WriteAllText(_temp.File("model/README.md"), card);
        GgufExport.Write(model, Gguf(ExportDType.F32));
        string text = Encoding.Latin1.GetString(File.ReadAllBytes(_temp.File("out.gguf")));
        Assert.Contains("general.size_label", text, StringComparison.Ordinal);
        Assert.Contains($"{Math.Round(model.Config.ParameterCount / 1e3)}K", text, StringComparison.Ordinal);
        Assert.Equal(isLicensed, text.Contains("general.license", StringComparison.Ordinal) && text.Contains("apache-2.0", StringComparison.Ordinal));
    }

    /// <summary>Not one type takes them in silence, nor does training.</summary>
    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Weights_that_are_not_finite_are_refused(float scale)
    {
        using ModelFolder model = Model(scale: scale);
        foreach (ExportDType dtype in (ExportDType[])[ExportDType.F32, ExportDType.F16, ExportDType.BF16])
        {
            Refused(() => HuggingFaceExport.Write(model, HuggingFace(dtype)));
            Refused(() => GgufExport.Write(model, Gguf(dtype)));
        }

        Refused(() => GgufExport.Write(model, Gguf(ExportDType.Q8)));
        Assert.Equal(["model"], _temp.Names);
        Refused(() => new Computed(model, 8).Dispose());
    }

    private static void Refused(Action action)
    {
        string message = Assert.Throws<InvalidFileException>(action).Message;
        Assert.Contains("model.safetensors", message, StringComparison.Ordinal);
        Assert.Contains("not finite", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    private JsonNode Json(string name) => JsonNode.Parse(File.ReadAllText(_temp.File($"out/{name}")))!;

    private ModelFolder Model(Func<LlamaConfig, LlamaConfig>? change = null, float scale = 1)
    {
        Directory.CreateDirectory(_temp.File("model"));
        LlamaConfig config = TinyModels.Llama(260);
        TinyModels.Write(_temp.File("model"), change is null ? config : change(config), scale: scale);
        return new ModelFolder(_temp.File("model"));
    }

    private HuggingFaceExportOptions HuggingFace(ExportDType dtype) => new() { Output = _temp.File("out"), DType = dtype, Name = "model" };

    private GgufExportOptions Gguf(ExportDType dtype) => new()
    {
        Output = _temp.File("out.gguf"),
        DType = dtype,
        Name = "model",
        Vocabulary = TokenizerExport.Load("bytes").Gguf(new DocumentTokens(256, 256, 512)),
    };
}
