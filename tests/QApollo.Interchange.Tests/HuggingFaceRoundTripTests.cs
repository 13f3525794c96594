using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using QApollo.Checkpoints;
using QApollo.Checkpoints.Interchange;
using QApollo.Checkpoints.Interchange.Gguf;
using QApollo.Checkpoints.Interchange.HuggingFace;
using QApollo.Data.Tokenizers;
using QApollo.Data.Tokenizers.Interchange;
using QApollo.Models;
using QApollo.Quantization;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Interchange.Tests;

/// <summary>Out and in again: what was written is what was trained.</summary>
public class HuggingFaceRoundTripTests
{
    private const int Length = 64;
    private const int Group = 32;

    private static readonly DocumentTokens Documents = new(256, 256, 512);
    private static readonly WeightFormats Dense = new(WeightFormat.F32, WeightFormat.F32);
    private static readonly WeightFormats Int8 = new(WeightFormat.Int8, WeightFormat.BF16, Group);
    private static readonly int[] Tokens = new ByteTokenizer().Ids(Texts.Long)[^(Length + 1)..];

    [Theory]
    [InlineData("llama", ExportDType.F32)]
    [InlineData("llama", ExportDType.BF16)]
    [InlineData("llama", ExportDType.F16)]
    [InlineData("llama biases", ExportDType.F32)]
    [InlineData("llama 3.2", ExportDType.F32)]
    [InlineData("llama yarn rope", ExportDType.F32)]
    [InlineData("mistral", ExportDType.BF16)]
    [InlineData("qwen2.5", ExportDType.F32)]
    [InlineData("qwen3", ExportDType.F16)]
    public void Losses_after_the_round_trip_are_those_of_the_rounded_weights(string name, ExportDType dtype)
    {
        using var temp = new TempFolder();
        using var model = new TrainedModel(TinyModels.Config(name), Dense, steps: 3);
        HuggingFaceExport.Write(model.Folder, Options(temp, dtype));
        using var read = new ModelFolder(temp.File("out"));

        Assert.Equal(model.Folder.Config with { BosTokenId = 256, EosTokenId = 256 }, read.Config);
        var rounded = new RoundedWeights(model.Folder, dtype, isGguf: false);
        Assert.Equal(Loss(rounded, model.Folder.Config, Dense), Loss(read, read.Config, Dense));
        if (dtype == ExportDType.F32)
        {
            Assert.Equal(Loss(model.Folder, read.Config, Dense), Loss(read, read.Config, Dense));
        }
    }

    [Fact]
    public void A_second_export_of_what_was_read_has_the_same_bytes()
    {
        using var temp = new TempFolder();
        using var model = new TrainedModel(TinyModels.Config("qwen3"), Dense, steps: 3);
        HuggingFaceExport.Write(model.Folder, Options(temp, ExportDType.BF16));
        using var read = new ModelFolder(temp.File("out"));
        HuggingFaceExport.Write(read, Options(temp, ExportDType.BF16, "again"));
        Assert.Equal(File.ReadAllBytes(temp.File("out/model.safetensors")), File.ReadAllBytes(temp.File("again/model.safetensors")));
        Assert.Equal(File.ReadAllBytes(temp.File("out/config.json")), File.ReadAllBytes(temp.File("again/config.json")));
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("qwen3")]
    [InlineData("rows that do not fill words")]
    public void INT8_groups_come_back_byte_for_byte(string name)
    {
        using var temp = new TempFolder();
        LlamaConfig config = name.StartsWith("rows", StringComparison.Ordinal)
            ? TinyModels.Llama(260) with { NumAttentionHeads = 16, NumKeyValueHeads = 1, HeadDim = 2 }
            : TinyModels.Config(name);
        using var model = new TrainedModel(config, Int8, steps: 3);
        HuggingFaceExport.Write(model.Folder, Options(temp, ExportDType.Int8));
        using var read = new ModelFolder(temp.File("out"));

        Assert.Equal(Int8, read.Formats);
        Assert.Equal(Loss(model.Folder, config, Int8), Loss(read, config, Int8));
        Assert.Equal(Loss(model.Folder, config, Dense), Loss(read, config, Dense));
        using var trained = new SafetensorsReader(Path.Combine(model.Folder.Path, "model.safetensors"));
        using var exported = new SafetensorsReader(temp.File("out/model.safetensors"));
        Assert.Equal(trained.Entries.Select(entry => entry.ToString()), exported.Entries.Select(entry => entry.ToString()));
        Assert.All(exported.Entries, entry => Assert.Equal(Bytes(trained, entry.Name), Bytes(exported, entry.Name)));
        foreach (Parameter parameter in ParameterTable.Of(config).Where(parameter => parameter.IsMatrix))
        {
            Assert.Equal([parameter.Rows, parameter.Columns], MemoryMarshal.Cast<byte, long>(Bytes(exported, parameter.Name + "_shape")).ToArray());
        }

        JsonNode weights = Json(temp.File("out/config.json"))["quantization_config"]!["config_groups"]!["group_0"]!["weights"]!;
        Assert.False(weights["symmetric"]!.GetValue<bool>());
        Assert.Equal(Group, weights["group_size"]!.GetValue<int>());
        Assert.True(JsonNode.DeepEquals(Json(Path.Combine(model.Folder.Path, "config.json"))["quantization_config"], Json(temp.File("out/config.json"))["quantization_config"]));
    }

    /// <summary>Every matrix, with embedding and head in INT8 too: nothing of the model is rounded.</summary>
    [Theory]
    [InlineData(32, WeightFormat.BF16)]
    [InlineData(64, WeightFormat.BF16)]
    [InlineData(32, WeightFormat.Int8)]
    public void A_model_trained_on_symmetric_groups_is_lossless_in_Q8_0_and_has_no_zero_points_for_others(int group, WeightFormat head)
    {
        using var temp = new TempFolder();
        var formats = new WeightFormats(WeightFormat.Int8, head, group, ResidualBits: 4, ZeroPoints: ZeroPointRule.Symmetric);
        LlamaConfig config = TinyModels.Config("llama") with { HiddenSize = 64, IntermediateSize = 128 };
        using var model = new TrainedModel(config, formats, steps: 30);
        Assert.Equal(ZeroPointRule.Symmetric, model.Folder.Formats.ZeroPoints);
        HuggingFaceExport.Write(model.Folder, Options(temp, ExportDType.Int8));
        using var read = new ModelFolder(temp.File("out"));
        Dictionary<string, float[]> before = Values(model.Folder, config, formats with { ResidualBits = 0 });
        Dictionary<string, float[]> again = Values(read, config, read.Formats);
        Assert.All(ParameterTable.Of(config), parameter => Compare.BitEqual<float>(again[parameter.Name], before[parameter.Name], parameter.Name));
        Assert.Equal(ZeroPointRule.Symmetric, read.Formats.ZeroPoints);
        Assert.True(Json(temp.File("out/config.json"))["quantization_config"]!["config_groups"]!["group_0"]!["weights"]!["symmetric"]!.GetValue<bool>());
        using var exported = new SafetensorsReader(temp.File("out/model.safetensors"));
        Assert.DoesNotContain(exported.Entries, entry => entry.Name.EndsWith("_zero_point", StringComparison.Ordinal));
        foreach (Parameter parameter in ParameterTable.Of(config).Where(parameter => parameter.IsMatrix))
        {
            Assert.DoesNotContain((byte)0, Bytes(exported, parameter.Name + "_packed"));
        }

        ExportReport report = GgufExport.Write(model.Folder, new GgufExportOptions
        {
            Output = temp.File("lossless.gguf"),
            DType = ExportDType.Q8,
            Name = "symmetric",
            Vocabulary = TokenizerExport.Load("bytes").Gguf(Documents),
        });
        Parameter[] exact = [.. ParameterTable.Of(config).Where(parameter => !parameter.IsVector && (head == WeightFormat.Int8 || parameter.IsMatrix))];
        Assert.Equal((exact.Sum(parameter => parameter.Elements) / 32, report.Int8Q8Blocks), (report.LosslessQ8Blocks, report.LosslessQ8Blocks));
        var rounded = new RoundedWeights(model.Folder, ExportDType.Q8, isGguf: true);
        Dictionary<string, float[]> after = Values(rounded, config, Dense);
        Assert.All(exact, parameter => Compare.BitEqual<float>(after[parameter.Name], before[parameter.Name], parameter.Name));
    }

    [Fact]
    public void Large_models_are_spread_over_files_that_an_index_names()
    {
        using var temp = new TempFolder();
        using var model = new TrainedModel(TinyModels.Config("llama"), Dense, steps: 3);
        const long MaxBytes = 40_000;
        ExportReport report = HuggingFaceExport.Write(model.Folder, Options(temp, ExportDType.F32) with { MaxShardBytes = MaxBytes });

        Assert.Contains("model-00001-of-", Path.GetFileName(report.Files[0]), StringComparison.Ordinal);
        Assert.False(File.Exists(temp.File("out/model.safetensors")));
        JsonNode index = Json(temp.File("out/model.safetensors.index.json"));
        long total = 0;
        foreach (string file in report.Files)
        {
            using var reader = new SafetensorsReader(file);
            long bytes = reader.Entries.Sum(entry => entry.ByteLength);
            Assert.True(bytes <= MaxBytes || reader.Entries.Count == 1);
            Assert.All(reader.Entries, entry => Assert.Equal(Path.GetFileName(file), index["weight_map"]![entry.Name]!.GetValue<string>()));
            total += bytes;
        }

        Assert.Equal(total, index["metadata"]!["total_size"]!.GetValue<long>());
        using var read = new ModelFolder(temp.File("out"));
        Assert.Equal(Loss(model.Folder, read.Config, Dense), Loss(read, read.Config, Dense));
    }

    [Fact]
    public void The_folder_says_what_readers_of_all_versions_look_for()
    {
        using var temp = new TempFolder();
        using var model = new TrainedModel(TinyModels.Config("llama 3.2"), Dense, steps: 3);
        HuggingFaceExport.Write(model.Folder, Options(temp, ExportDType.BF16));

        Assert.Equal(
            ["README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
            Directory.EnumerateFiles(temp.File("out")).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal));
        JsonNode config = Json(temp.File("out/config.json"));
        Assert.Equal("bfloat16", config["torch_dtype"]!.GetValue<string>());
        Assert.Equal("bfloat16", config["dtype"]!.GetValue<string>());
        Assert.Equal(500_000, config["rope_theta"]!.GetValue<double>());
        Assert.Equal(500_000, config["rope_parameters"]!["rope_theta"]!.GetValue<double>());
        Assert.Equal("llama3", config["rope_parameters"]!["rope_type"]!.GetValue<string>());
        Assert.Equal("llama3", config["rope_scaling"]!["rope_type"]!.GetValue<string>());
        Assert.Equal("LlamaForCausalLM", config["architectures"]![0]!.GetValue<string>());
        Assert.Equal(256, Json(temp.File("out/generation_config.json"))["eos_token_id"]!.GetValue<int>());
        Assert.Equal("PreTrainedTokenizerFast", Json(temp.File("out/tokenizer_config.json"))["tokenizer_class"]!.GetValue<string>());
        Assert.Contains("3 steps", File.ReadAllText(temp.File("out/README.md")), StringComparison.Ordinal);
        using var reader = new SafetensorsReader(temp.File("out/model.safetensors"));
        Assert.Equal("pt", reader.Metadata["format"]);
    }

    private static HuggingFaceExportOptions Options(TempFolder temp, ExportDType dtype, string folder = "out") => new()
    {
        Output = temp.File(folder),
        DType = dtype,
        Name = "tiny",
        TokenizerFiles = TokenizerExport.Load("bytes").HuggingFaceFiles(Documents),
        BeginToken = Documents.Begin,
        EndToken = Documents.End,
    };

    private static double Loss(IWeightSource weights, LlamaConfig config, WeightFormats formats)
    {
        using var computed = new Computed(weights, config, formats, Length);
        return computed.Loss(Tokens);
    }

    private static Dictionary<string, float[]> Values(IWeightSource weights, LlamaConfig config, WeightFormats formats)
    {
        using var computed = new Computed(weights, config, formats, Length);
        return computed.Values();
    }

    private static byte[] Bytes(SafetensorsReader reader, string name)
    {
        SafetensorsEntry entry = reader.Find(name);
        var bytes = new byte[entry.ByteLength];
        reader.Read(entry, bytes);
        return bytes;
    }

    private static JsonNode Json(string path) => JsonNode.Parse(File.ReadAllText(path))!;
}
