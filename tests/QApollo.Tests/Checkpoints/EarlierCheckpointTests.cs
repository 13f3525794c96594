using System.Security.Cryptography;
using System.Text.Json.Nodes;
using QApollo.Batches;
using QApollo.Checkpoints;
using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Quantization;
using QApollo.Runs;
using QApollo.Tests.Training;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Checkpoints;

/// <summary>
/// Checkpoints of earlier versions: each tensor as it lies on the device, residual bits beside the codes, and nothing for other
/// programs. And what the form of today makes of the same bytes.
/// </summary>
public class EarlierCheckpointTests
{
    private static readonly LlamaConfig Model = Engine.TinyModel() with { HiddenSize = 64, IntermediateSize = 128, NumAttentionHeads = 4, NumKeyValueHeads = 2, HeadDim = 16 };

    public static TheoryData<WeightFormats> Formats =>
    [
        new WeightFormats(GroupSize: 32),
        new WeightFormats(GroupSize: 32, ResidualBits: 4),
        new WeightFormats(GroupSize: 64, ResidualBits: 8),
        new WeightFormats(WeightFormat.F32, WeightFormat.F32),
    ];

    [Theory]
    [MemberData(nameof(Formats))]
    public void They_are_resumed_and_loaded_bit_for_bit(WeightFormats formats)
    {
        using var temp = new TempFolder();
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = NewTrainer(device, formats);
        (int[] tokens, int[] labels) = Engine.RandomBatch(trainer.Layout.Options, seed: 1);
        trainer.Step(tokens, labels);
        string checkpoint = Checkpoint.Save(trainer, new RunState(1, 11, new DataPosition(0, 1), trainer.Layout.Options.Seed, "t"), temp.Path);
        WriteEarlierForm(device, trainer, checkpoint);

        using CpuDevice other = Engine.Cpu();
        using Trainer resumed = NewTrainer(other, formats);
        Assert.Equal(1, Checkpoint.Load(resumed, checkpoint).Step);
        using Trainer loaded = NewTrainer(other, formats);
        using var folder = new ModelFolder(checkpoint);
        Assert.Equal((formats.Matrices, formats.EmbeddingAndHead), (folder.Formats.Matrices, folder.Formats.EmbeddingAndHead));
        folder.Load(other, loaded.Layout.Weights, loaded.Layout.WeightStaging);
        foreach ((Weight expected, Weight a, Weight b) in trainer.Layout.Weights.All.Zip(resumed.Layout.Weights.All, loaded.Layout.Weights.All))
        {
            foreach ((PlannedTensor tensor, PlannedTensor first, PlannedTensor second) in Tensors(expected).Zip(Tensors(a), Tensors(b)))
            {
                byte[] bytes = Engine.Bytes(device, tensor);
                Assert.Equal(bytes, Engine.Bytes(other, first));
                Assert.Equal(bytes, Engine.Bytes(other, second));
            }
        }
    }

    /// <summary>Codes and scales are the bytes of the device; a word has the zero points of four rows.</summary>
    [Fact]
    public void Todays_form_has_the_same_bytes_under_the_names_of_compressed_tensors()
    {
        using var temp = new TempFolder();
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = NewTrainer(device, new WeightFormats(GroupSize: 32, ResidualBits: 4));
        string checkpoint = Checkpoint.Save(trainer, new RunState(1, 11, new DataPosition(0, 1), 1, "t"), temp.Path);
        using var model = new SafetensorsReader(Path.Combine(checkpoint, "model.safetensors"));
        foreach (Weight weight in trainer.Layout.Weights.All.Where(weight => weight.Parameter.IsMatrix))
        {
            string name = weight.Parameter.Name;
            Assert.Equal(Engine.Bytes(device, weight.Values), Bytes(model, name + "_packed"));
            Assert.Equal(Engine.Bytes(device, weight.Scales!), Bytes(model, name + "_scale"));
            byte[] zeroPoints = Engine.Bytes(device, weight.ZeroPoints!);
            byte[] packed = Bytes(model, name + "_zero_point");
            int groups = zeroPoints.Length / weight.Parameter.Rows;
            for (int i = 0; i < zeroPoints.Length; i++)
            {
                (int row, int group) = (i / groups, i % groups);
                Assert.Equal(zeroPoints[i], packed[(((row / 4 * groups) + group) * 4) + (row % 4)]);
            }
        }

        JsonNode config = JsonNode.Parse(File.ReadAllText(Path.Combine(checkpoint, "config.json")))!;
        Assert.Equal("pack-quantized", config["quantization_config"]!["format"]!.GetValue<string>());
        JsonObject map = JsonNode.Parse(File.ReadAllText(Path.Combine(checkpoint, "model.safetensors.index.json")))!["weight_map"]!.AsObject();
        Assert.Equal(model.Entries.Select(entry => entry.Name).Order(StringComparer.Ordinal), map.Select(entry => entry.Key).Order(StringComparer.Ordinal));
        Assert.All(map, entry => Assert.Equal("model.safetensors", entry.Value!.GetValue<string>()));
    }

    /// <summary>They are 128 only where config.json says so: a file that lost them is no symmetric one.</summary>
    [Fact]
    public void Zero_points_that_are_missing_are_named()
    {
        using var temp = new TempFolder();
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = NewTrainer(device, new WeightFormats(GroupSize: 32, ZeroPoints: ZeroPointRule.Symmetric));
        string checkpoint = Checkpoint.Save(trainer, new RunState(1, 11, new DataPosition(0, 1), 1, "t"), temp.Path);
        string alone = Directory.CreateDirectory(temp.File("alone")).FullName;
        File.Copy(Path.Combine(checkpoint, "model.safetensors"), Path.Combine(alone, "model.safetensors"));
        string config = File.ReadAllText(Path.Combine(checkpoint, "config.json"));
        File.WriteAllText(Path.Combine(alone, "config.json"), config);
        new ModelFolder(alone).Dispose();
        File.WriteAllText(Path.Combine(alone, "config.json"), config.Replace("\"symmetric\": true", "\"symmetric\": false", StringComparison.Ordinal));
        Assert.Contains("has no tensor 'model.layers.0.self_attn.q_proj.weight_zero_point'", Assert.Throws<InvalidFileException>(() => new ModelFolder(alone)).Message, StringComparison.Ordinal);
    }

    /// <summary>Rows that are no whole groups, and an embedding in INT8: others have no form for them.</summary>
    [Theory]
    [InlineData(128, WeightFormat.BF16)]
    [InlineData(32, WeightFormat.Int8)]
    public void What_others_cannot_read_keeps_the_names_of_this_program(int group, WeightFormat head)
    {
        using var temp = new TempFolder();
        using CpuDevice device = Engine.Cpu();
        var formats = new WeightFormats(WeightFormat.Int8, head, group);
        using Trainer trainer = NewTrainer(device, formats);
        string checkpoint = Checkpoint.Save(trainer, new RunState(1, 11, new DataPosition(0, 1), trainer.Layout.Options.Seed, "t"), temp.Path);
        Assert.Null(JsonNode.Parse(File.ReadAllText(Path.Combine(checkpoint, "config.json")))!["quantization_config"]);
        using Trainer resumed = NewTrainer(device, formats);
        Checkpoint.Load(resumed, checkpoint);
        foreach ((Weight expected, Weight actual) in trainer.Layout.Weights.All.Zip(resumed.Layout.Weights.All))
        {
            Assert.All(Tensors(expected).Zip(Tensors(actual)), pair => Assert.Equal(Engine.Bytes(device, pair.First), Engine.Bytes(device, pair.Second)));
        }
    }

    [Fact]
    public void A_run_does_not_go_on_with_the_other_rule_for_zero_points()
    {
        using var temp = new TempFolder();
        using CpuDevice device = Engine.Cpu();
        var symmetric = new WeightFormats(GroupSize: 32, ZeroPoints: ZeroPointRule.Symmetric);
        using Trainer trainer = NewTrainer(device, symmetric);
        string checkpoint = Checkpoint.Save(trainer, new RunState(1, 11, new DataPosition(0, 1), trainer.Layout.Options.Seed, "t"), temp.Path);
        using Trainer other = NewTrainer(device, symmetric with { ZeroPoints = ZeroPointRule.Asymmetric });
        string message = Assert.Throws<UsageException>(() => Checkpoint.Load(other, checkpoint)).Message;
        Assert.Contains("INT8 groups of 32, symmetric, but this run needs INT8 groups of 32:", message, StringComparison.Ordinal);

        // Asymmetric groups that are trained on with symmetric ones are coded anew.
        string usual = Checkpoint.Save(other, new RunState(2, 11, new DataPosition(0, 1), trainer.Layout.Options.Seed, "t"), temp.Path);
        using var folder = new ModelFolder(usual);
        folder.Load(device, trainer.Layout.Weights, trainer.Layout.WeightStaging);
        foreach (Weight weight in trainer.Layout.Weights.All.Where(weight => weight.ZeroPoints is not null))
        {
            Assert.All(Engine.Bytes(device, weight.ZeroPoints!), zero => Assert.Equal(128, zero));
            Assert.DoesNotContain((byte)0, Engine.Bytes(device, weight.Values));
        }
    }

    private static Trainer NewTrainer(CpuDevice device, WeightFormats formats) =>
        Engine.Trainer(Engine.Options(Model, new StepShape(1, 11, 1)) with { Memory = new MemoryOptions { Weights = formats } }, device);

    private static IEnumerable<PlannedTensor> Tensors(Weight weight) =>
        new[] { weight.Values, weight.Scales, weight.ZeroPoints, weight.Residuals }.OfType<PlannedTensor>();

    private static void WriteEarlierForm(CpuDevice device, Trainer trainer, string checkpoint)
    {
        foreach (string name in (string[])["residuals.safetensors", "model.safetensors.index.json", "generation_config.json"])
        {
            File.Delete(Path.Combine(checkpoint, name));
        }

        File.WriteAllBytes(Path.Combine(checkpoint, "config.json"), LlamaConfigJson.ToUtf8(Model));
        PlannedTensor[] tensors = [.. trainer.Layout.Weights.All.SelectMany(Tensors)];
        SafetensorsDType TypeOf(PlannedTensor tensor) => ((Tensor)tensor).DType switch
        {
            DType.F32 => SafetensorsDType.F32,
            DType.BF16 => SafetensorsDType.BF16,
            _ => SafetensorsDType.U8,
        };
        SafetensorsDeclaration Declare(PlannedTensor tensor)
        {
            Tensor view = tensor;
            return view.Rows == 1 ? new SafetensorsDeclaration(tensor.Name, TypeOf(tensor), view.Columns) : new SafetensorsDeclaration(tensor.Name, TypeOf(tensor), view.Rows, view.Columns);
        }

        var metadata = new Dictionary<string, string> { ["format"] = "pt", ["qapollo.group_size"] = $"{trainer.Layout.Options.Memory.Weights.GroupSize}" };
        using (var writer = new SafetensorsWriter(Path.Combine(checkpoint, "model.safetensors"), tensors.Select(Declare), metadata))
        {
            foreach (SafetensorsEntry entry in writer.Entries)
            {
                writer.Write(entry, Engine.Bytes(device, tensors.Single(tensor => tensor.Name == entry.Name)));
            }

            writer.Complete();
        }

        var files = new JsonObject();
        foreach (string name in (string[])["config.json", "model.safetensors", "optimizer.safetensors", "state.json"])
        {
            byte[] bytes = File.ReadAllBytes(Path.Combine(checkpoint, name));
            files[name] = new JsonObject { ["bytes"] = bytes.Length, ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(bytes)) };
        }

        File.WriteAllText(Path.Combine(checkpoint, "complete.json"), new JsonObject { ["formatVersion"] = 1, ["files"] = files }.ToJsonString());
    }

    private static byte[] Bytes(SafetensorsReader reader, string name)
    {
        SafetensorsEntry entry = reader.Find(name);
        var bytes = new byte[entry.ByteLength];
        reader.Read(entry, bytes);
        return bytes;
    }
}
