using System.Runtime.InteropServices;
using System.Text;
using QApollo.Batches;
using QApollo.Checkpoints;
using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Files;
using QApollo.Inference;
using QApollo.Models;
using QApollo.Quantization;
using QApollo.Runs;
using QApollo.Tests.Training;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Checkpoints;

public class ModelFolderTests
{
    private static readonly LlamaConfig Model = Engine.TinyModel();

    [Theory]
    [InlineData(SafetensorsDType.F32, WeightFormat.F32)]
    [InlineData(SafetensorsDType.F16, WeightFormat.F32)]
    [InlineData(SafetensorsDType.BF16, WeightFormat.BF16)]
    public void Dense_weights_are_loaded_as_they_are(SafetensorsDType dtype, WeightFormat format)
    {
        using var temp = new TempFolder();
        Dictionary<string, float[]> values = RandomValues();
        WriteFolder(temp.Path, dtype, values);
        using var folder = new ModelFolder(temp.Path);

        Assert.Equal(new WeightFormats(format, format), folder.Formats);
        Assert.Null(folder.State);
        RequireValues(values.ToDictionary(pair => pair.Key, pair => Rounded(pair.Value, dtype)), LoadInto(folder, folder.Formats));
    }

    [Fact]
    public void Shards_make_one_model()
    {
        using var temp = new TempFolder();
        Dictionary<string, float[]> values = RandomValues();
        WriteShards(temp.Path, values);
        using var folder = new ModelFolder(temp.Path);
        RequireValues(values, LoadInto(folder, Engine.Dense));
    }

    [Fact]
    public void Dense_weights_are_quantized_on_the_way_into_INT8_as_staging_does()
    {
        using var temp = new TempFolder();
        Dictionary<string, float[]> values = RandomValues();
        WriteFolder(temp.Path, SafetensorsDType.F32, values);
        using var folder = new ModelFolder(temp.Path);
        using CpuDevice device = Engine.Cpu();
        using Trainer expected = NewTrainer(device, new WeightFormats());
        expected.Load(values);
        RequireValues(expected.ReadAll(), LoadInto(folder, new WeightFormats()));
    }

    [Fact]
    public void A_checkpoints_INT8_groups_are_copied_bit_for_bit_and_a_runs_folder_means_its_newest()
    {
        using var temp = new TempFolder();
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = NewTrainer(device, new WeightFormats(GroupSize: 32));
        Save(trainer, temp.Path, step: 1);
        (int[] tokens, int[] labels) = Engine.RandomBatch(trainer.Layout.Options, seed: 1);
        trainer.Step(tokens, labels);
        string newest = Save(trainer, temp.Path, step: 2);
        using var folder = new ModelFolder(temp.Path);

        Assert.Equal(newest, folder.Path);
        Assert.Equal(2, folder.State!.Step);
        Assert.Equal(new WeightFormats(WeightFormat.Int8, WeightFormat.BF16, 32), folder.Formats);
        using CpuDevice other = Engine.Cpu();
        using Trainer loaded = NewTrainer(other, folder.Formats);
        folder.Load(other, loaded.Layout.Weights, loaded.Layout.WeightStaging);
        foreach ((Weight a, Weight b) in trainer.Layout.Weights.All.Zip(loaded.Layout.Weights.All))
        {
            Assert.Equal(Engine.Bytes(device, a.Values), Engine.Bytes(other, b.Values));
            if (a.Scales is not null)
            {
                Assert.Equal(Engine.Bytes(device, a.Scales), Engine.Bytes(other, b.Scales!));
                Assert.Equal(Engine.Bytes(device, a.ZeroPoints!), Engine.Bytes(other, b.ZeroPoints!));
            }
        }
    }

    [Fact]
    public void INT8_groups_are_dequantized_into_dense_weights()
    {
        using var temp = new TempFolder();
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = NewTrainer(device, new WeightFormats(GroupSize: 32));
        Save(trainer, temp.Path, step: 1);
        using var folder = new ModelFolder(temp.Path);
        RequireValues(trainer.ReadAll(), LoadInto(folder, Engine.Dense));
    }

    [Fact]
    public void A_loaded_model_takes_one_allocation_of_the_planned_size()
    {
        using var temp = new TempFolder();
        WriteFolder(temp.Path, SafetensorsDType.F32, RandomValues());
        using var folder = new ModelFolder(temp.Path);
        using CpuDevice cpu = Engine.Cpu();
        var options = new InferenceOptions { Model = Model, Weights = new WeightFormats(), GeneratedTokens = 100, BatchSize = 2, SequenceLength = 20 };
        var layout = new InferenceLayout(options, cpu.Profile);
        var meter = new Memory.MeteredDevice(layout.Plan, cpu);

        using var model = new InferenceModel(folder, options, meter.Device);
        model.Layout.Generation!.Rehearse(meter.Device);
        model.Layout.Scoring!.LossSum(meter.Device, new int[40], new int[40]);

        Assert.Equal([(MemorySpace.Device, layout.Plan.DeviceArenaBytes)], meter.Device.Allocations);
    }

    public static TheoryData<string, Action<Dictionary<string, Stored>>, string> Faults => new()
    {
        { "missing", tensors => tensors.Remove("model.layers.1.mlp.up_proj.weight"), "has no tensor 'model.layers.1.mlp.up_proj.weight'" },
        {
            "shape", tensors => tensors["model.norm.weight"] = tensors["model.norm.weight"] with { Shape = [47], Values = new float[47] },
            "holds model.norm.weight F32[47], but config.json makes it F32[48]"
        },
        {
            "transposed", tensors => tensors["lm_head.weight"] = tensors["lm_head.weight"] with { Shape = [48, 67] },
            "holds lm_head.weight F32[48, 67], but config.json makes it F32[67, 48]"
        },
        {
            "bias", tensors => tensors["model.layers.0.self_attn.q_proj.bias"] = new Stored([48], new float[48]),
            "holds model.layers.0.self_attn.q_proj.bias F32[48], for which the model of config.json has no place"
        },
        {
            "a layer too many", tensors => tensors["model.layers.2.input_layernorm.weight"] = new Stored([48], new float[48]),
            "model.layers.2.input_layernorm.weight"
        },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void What_does_not_fit_is_named(string name, Action<Dictionary<string, Stored>> change, string expected)
    {
        using var temp = new TempFolder();
        Dictionary<string, Stored> tensors = ToStored(RandomValues());
        change(tensors);
        WriteConfig(temp.Path);
        WriteTensors(temp.File("model.safetensors"), SafetensorsDType.F32, tensors);
        var exception = Assert.Throws<InvalidFileException>(() => new ModelFolder(temp.Path));
        Assert.True(exception.Message.Contains(expected, StringComparison.Ordinal), $"{name}: {exception.Message}");
        Assert.Contains("model.safetensors", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tied_heads_copy_and_rotary_frequencies_are_passed_over()
    {
        using var temp = new TempFolder();
        Dictionary<string, Stored> tensors = ToStored(RandomValues());
        tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = new Stored([4], new float[4]);
        PendingFile.WriteAll(temp.File("config.json"), LlamaConfigJson.ToUtf8(Engine.TinyModel(tied: true)));
        WriteTensors(temp.File("model.safetensors"), SafetensorsDType.F32, tensors);
        using var folder = new ModelFolder(temp.Path);
        Assert.True(folder.Config.TieWordEmbeddings);
    }

    [Fact]
    public void Codes_without_a_group_size_are_refused()
    {
        using var temp = new TempFolder();
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = NewTrainer(device, new WeightFormats());
        string checkpoint = Save(trainer, temp.Path, step: 1);
        File.Delete(Path.Combine(checkpoint, CheckpointFolder.CompletionFile));
        Assert.Contains("complete.json", Assert.Throws<InvalidFileException>(() => new ModelFolder(checkpoint)).Message, StringComparison.Ordinal);
        File.Delete(Path.Combine(checkpoint, CheckpointFolder.StateFile));
        string path = Path.Combine(checkpoint, CheckpointFolder.ModelFile);
        File.WriteAllBytes(path, Replace(File.ReadAllBytes(path), "qapollo.group_size", "qapollo.group_sizf"));
        Assert.Contains("qapollo.group_size", Assert.Throws<InvalidFileException>(() => new ModelFolder(checkpoint)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_checkpoint_is_named_by_its_checksum()
    {
        using var temp = new TempFolder();
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = NewTrainer(device, new WeightFormats());
        string path = Path.Combine(Save(trainer, temp.Path, step: 1), CheckpointFolder.ModelFile);
        byte[] bytes = File.ReadAllBytes(path);
        bytes[^1] ^= 4;
        File.WriteAllBytes(path, bytes);
        Assert.Contains("checksum", Assert.Throws<InvalidFileException>(() => new ModelFolder(temp.Path)).Message, StringComparison.Ordinal);

        // Of a run, the newest whole one is offered.
        string whole = Save(trainer, temp.Path, step: 0);
        string message = Assert.Throws<InvalidFileException>(() => new ModelFolder(temp.Path)).Message;
        Assert.EndsWith($"{whole} is whole: name that one", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{", "not valid JSON")]
    [InlineData("{}", "weight_map")]
    [InlineData("{\"weight_map\": []}", "weight_map")]
    [InlineData("{\"weight_map\": {\"a\": 5}}", "no plain file name")]
    [InlineData("{\"weight_map\": {\"a\": \"../a.safetensors\"}}", "no plain file name")]
    [InlineData("{\"weight_map\": {\"a\": \"..\"}}", "no plain file name")]
    [InlineData("{\"weight_map\": {\"a\": \"not-there.safetensors\"}}", "not-there.safetensors: is missing")]
    public void A_broken_index_is_named(string json, string expected)
    {
        using var temp = new TempFolder();
        WriteConfig(temp.Path);
        File.WriteAllText(temp.File("model.safetensors.index.json"), json);
        Assert.Contains(expected, Assert.Throws<InvalidFileException>(() => new ModelFolder(temp.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_index_that_names_a_tensor_its_shard_has_not_is_refused()
    {
        using var temp = new TempFolder();
        WriteShards(temp.Path, RandomValues());
        string index = temp.File("model.safetensors.index.json");
        File.WriteAllText(index, File.ReadAllText(index).Replace("model.norm.weight", "model.morn.weight", StringComparison.Ordinal));
        Assert.Contains("model.morn.weight", Assert.Throws<InvalidFileException>(() => new ModelFolder(temp.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_a_model_and_a_path_without_a_folder_are_refused()
    {
        using var temp = new TempFolder();
        Assert.Contains("holds no model.safetensors", Assert.Throws<UsageException>(() => new ModelFolder(temp.Path)).Message, StringComparison.Ordinal);
        Assert.Contains("no such folder", Assert.Throws<UsageException>(() => new ModelFolder(temp.File("none"))).Message, StringComparison.Ordinal);
    }

    public sealed record Stored(long[] Shape, float[] Values);

    internal static Dictionary<string, float[]> RandomValues()
    {
        var random = new Random(11);
        return ParameterTable.Of(Model).ToDictionary(
            parameter => parameter.Name,
            parameter => Enumerable.Range(0, (int)parameter.Elements).Select(_ => (float)(random.NextDouble() - 0.5)).ToArray());
    }

    internal static void WriteFolder(string folder, SafetensorsDType dtype, Dictionary<string, float[]> values)
    {
        WriteConfig(folder);
        WriteTensors(Path.Combine(folder, "model.safetensors"), dtype, ToStored(values));
    }

    private static void WriteShards(string folder, Dictionary<string, float[]> values)
    {
        WriteConfig(folder);
        KeyValuePair<string, Stored>[] tensors = [.. ToStored(values)];
        var index = new StringBuilder("{\"metadata\": {}, \"weight_map\": {");
        int shard = 0;
        foreach (KeyValuePair<string, Stored>[] part in tensors.Chunk(8))
        {
            string file = $"model-{++shard:D5}.safetensors";
            WriteTensors(Path.Combine(folder, file), SafetensorsDType.F32, part.ToDictionary());
            index.AppendJoin(", ", part.Select(tensor => $"\"{tensor.Key}\": \"{file}\"")).Append(shard * 8 < tensors.Length ? ", " : "}}");
        }

        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"), index.ToString());
    }

    private static void WriteConfig(string folder) => PendingFile.WriteAll(Path.Combine(folder, "config.json"), LlamaConfigJson.ToUtf8(Model));

    private static void WriteTensors(string path, SafetensorsDType dtype, Dictionary<string, Stored> tensors)
    {
        using var writer = new SafetensorsWriter(path, tensors.Select(tensor => new SafetensorsDeclaration(tensor.Key, dtype, tensor.Value.Shape)));
        foreach (SafetensorsEntry entry in writer.Entries)
        {
            writer.Write(entry, ToBytes(tensors[entry.Name].Values, dtype));
        }

        writer.Complete();
    }

    private static Dictionary<string, Stored> ToStored(Dictionary<string, float[]> values) => ParameterTable.Of(Model).ToDictionary(
        parameter => parameter.Name,
        parameter => new Stored(parameter.IsNorm ? [parameter.Columns] : [parameter.Rows, parameter.Columns], values[parameter.Name]));

    private static byte[] ToBytes(float[] values, SafetensorsDType dtype) => dtype switch
    {
        SafetensorsDType.F16 => MemoryMarshal.AsBytes<Half>(Array.ConvertAll(values, value => (Half)value)).ToArray(),
        SafetensorsDType.BF16 => MemoryMarshal.AsBytes<ushort>(Array.ConvertAll(values, BFloat.FromSingle)).ToArray(),
        _ => MemoryMarshal.AsBytes<float>(values).ToArray(),
    };

    private static float[] Rounded(float[] values, SafetensorsDType dtype) => dtype switch
    {
        SafetensorsDType.F16 => Array.ConvertAll(values, value => (float)(Half)value),
        SafetensorsDType.BF16 => Array.ConvertAll(values, value => BFloat.ToSingle(BFloat.FromSingle(value))),
        _ => values,
    };

    private static Trainer NewTrainer(CpuDevice device, WeightFormats formats) =>
        Engine.Trainer(Engine.Options(Model, new StepShape(1, 11, 1)) with { Memory = new MemoryOptions { Weights = formats } }, device);

    private static Dictionary<string, float[]> LoadInto(ModelFolder folder, WeightFormats formats)
    {
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = NewTrainer(device, formats);
        folder.Load(device, trainer.Layout.Weights, trainer.Layout.WeightStaging);
        return trainer.ReadAll();
    }

    private static string Save(Trainer trainer, string run, int step) =>
        Checkpoint.Save(trainer, new RunState(step, 0, new DataPosition(0, 0), 1, "00"), run);

    private static void RequireValues(Dictionary<string, float[]> expected, Dictionary<string, float[]> actual)
    {
        foreach ((string name, float[] values) in expected)
        {
            Compare.BitEqual<float>(actual[name], values, name);
        }
    }

    private static byte[] Replace(byte[] bytes, string from, string to)
    {
        int index = bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(from));
        Encoding.UTF8.GetBytes(to).CopyTo(bytes, index);
        return bytes;
    }
}
