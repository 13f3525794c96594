using System.Text.Json.Nodes;
using QApollo.Batches;
using QApollo.Checkpoints;
using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Runs;
using QApollo.Tests.Training;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Runs;

public class CheckpointTests
{
    public static TheoryData<OptimizerKind> Kinds => [.. Enum.GetValues<OptimizerKind>()];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_restored_trainer_goes_on_bit_for_bit(OptimizerKind kind)
    {
        using var folder = new TempFolder();
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(2, 11, 2)) with
        {
            Optimizer = new OptimizerOptions { Kind = kind, UpdateProjectionGap = 3, Rank = 4 },
            Schedule = new LearningRateSchedule(ScheduleKind.Constant, kind == OptimizerKind.Sgd ? 0.5 : 0.01, 10),
        };
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 1);
        using CpuDevice device = Engine.Cpu();
        using Trainer whole = Engine.Trainer(options, device);
        for (int step = 0; step < 3; step++)
        {
            whole.Step(tokens, labels);
        }

        var state = new RunState(3, 66, new DataPosition(1, 5), options.Seed, "tokenizer");
        string path = Checkpoint.Save(whole, state, folder.Path);
        whole.Step(tokens, labels);

        using CpuDevice otherDevice = Engine.Cpu();
        using Trainer restored = Engine.Trainer(options, otherDevice);
        Assert.Equal(state with { Decays = whole.Decays }, Checkpoint.Load(restored, path));
        Assert.Equal(3, restored.CompletedSteps);
        restored.Step(tokens, labels);

        foreach ((string name, float[] weights) in whole.ReadAll())
        {
            Compare.BitEqual<float>(restored.ReadAll()[name], weights, name);
        }
    }

    /// <summary>Codes and residual bits come back byte for byte; without them the codes are the same and the bits zero.</summary>
    [Theory]
    [InlineData(4, 4)]
    [InlineData(8, 8)]
    [InlineData(4, 0)]
    [InlineData(0, 8)]
    public void Residual_bits_are_part_of_a_checkpoint(int saved, int resumed)
    {
        using var folder = new TempFolder();
        TrainingOptions Options(int bits) => Engine.Options(Engine.TinyModel(), new StepShape(2, 11, 1)) with
        {
            Memory = new MemoryOptions { Weights = new WeightFormats(ResidualBits: bits) },
        };
        (int[] tokens, int[] labels) = Engine.RandomBatch(Options(0), seed: 1);
        using CpuDevice device = Engine.Cpu();
        using Trainer whole = Engine.Trainer(Options(saved), device);
        whole.Step(tokens, labels);
        string path = Checkpoint.Save(whole, new RunState(1, 22, new DataPosition(1, 5), whole.Layout.Options.Seed, "tokenizer"), folder.Path);

        using CpuDevice otherDevice = Engine.Cpu();
        using Trainer restored = Engine.Trainer(Options(resumed), otherDevice);
        Checkpoint.Load(restored, path);
        string? change = Checkpoint.ResidualChange(path, restored.Layout);
        Assert.Equal(saved == resumed, change is null);
        using var model = new ModelFolder(path);
        using Trainer loaded = Engine.Trainer(Options(resumed), otherDevice);
        model.Load(otherDevice, loaded.Layout.Weights, loaded.Layout.WeightStaging);
        foreach ((Weight expected, Weight actual, Weight other) in whole.Layout.Weights.All.Zip(restored.Layout.Weights.All, loaded.Layout.Weights.All))
        {
            Assert.Equal(Engine.Bytes(device, expected.Values), Engine.Bytes(otherDevice, actual.Values));
            Assert.Equal(Engine.Bytes(device, expected.Values), Engine.Bytes(otherDevice, other.Values));
            if (actual.Residuals is not null)
            {
                byte[] bits = expected.Residuals is null ? new byte[actual.Residuals.Bytes] : Engine.Bytes(device, expected.Residuals);
                Assert.Equal(saved != 0, bits.Any(value => value != 0));
                Assert.Equal(bits, Engine.Bytes(otherDevice, actual.Residuals));
                Assert.Equal(bits, Engine.Bytes(otherDevice, other.Residuals!));
            }
        }
    }

    /// <summary>In a training run the bits of the other number are refused; a model to begin with is coded anew, to the same values.</summary>
    [Fact]
    public void Residual_bits_of_another_number_are_refused_or_coded_anew()
    {
        using var folder = new TempFolder();
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(2, 11, 1)) with
        {
            Memory = new MemoryOptions { Weights = new WeightFormats(ResidualBits: 4) },
        };
        using CpuDevice device = Engine.Cpu();
        using Trainer whole = Engine.Trainer(options, device);
        string path = Checkpoint.Save(whole, new RunState(1, 22, new DataPosition(1, 5), options.Seed, "tokenizer"), folder.Path);
        using Trainer wider = Engine.Trainer(options with { Memory = new MemoryOptions { Weights = new WeightFormats(ResidualBits: 8) } }, device);
        var exception = Assert.Throws<UsageException>(() => Checkpoint.Load(wider, path));
        Assert.Contains("weight_residual", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);

        using var model = new ModelFolder(path);
        model.Load(device, wider.Layout.Weights, wider.Layout.WeightStaging);
        foreach ((Weight expected, Weight actual) in whole.Layout.Weights.All.Zip(wider.Layout.Weights.All))
        {
            float[] fine = whole.ReadFine(expected);
            double step = fine.Max(MathF.Abs) / 127 / 16;
            Compare.AllClose(wider.ReadFine(actual), [.. fine.Select(value => (double)value)], step / 2, 0, expected.Parameter.Name);
        }
    }

    [Fact]
    public void Only_complete_checkpoints_are_found_and_old_ones_are_pruned()
    {
        using var folder = new TempFolder();
        foreach (int step in (int[])[3, 1, 20, 100])
        {
            CheckpointFolder.Write(folder.Path, step, path => File.WriteAllText(Path.Combine(path, "file"), $"{step}"));
        }

        Directory.CreateDirectory(Path.Combine(folder.Path, "step-000200"));
        Directory.CreateDirectory(Path.Combine(folder.Path, "step-000300.partial"));
        Assert.Equal([1, 3, 20, 100], CheckpointFolder.List(folder.Path).Select(checkpoint => checkpoint.Step));

        CheckpointFolder.Prune(folder.Path, keep: 2);
        Assert.Equal([20, 100], CheckpointFolder.List(folder.Path).Select(checkpoint => checkpoint.Step));
        Assert.False(Directory.Exists(Path.Combine(folder.Path, "step-000300.partial")));
        CheckpointFolder.Prune(folder.Path, keep: 0);
        Assert.Equal(2, CheckpointFolder.List(folder.Path).Count);
    }

    [Fact]
    public void A_save_that_fails_leaves_nothing()
    {
        using var folder = new TempFolder();
        Assert.Throws<RunFailedException>(() => CheckpointFolder.Write(folder.Path, 1, path =>
        {
            File.WriteAllText(Path.Combine(path, "half"), "half");
            throw new IOException("No space left on device");
        }));
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Theory]
    [InlineData("config.json", "changed", "checksum")]
    [InlineData("model.safetensors", "changed", "checksum")]
    [InlineData("optimizer.safetensors", "longer", "bytes")]
    [InlineData("state.json", "missing", "missing")]
    public void Damage_is_found_and_named(string name, string damage, string expected)
    {
        using var folder = new TempFolder();
        string path = WriteFiles(folder.Path, 1);
        CheckpointFolder.Verify(path);
        string file = Path.Combine(path, name);
        switch (damage)
        {
            case "changed":
                File.WriteAllText(file, "contenu");
                break;
            case "longer":
                File.AppendAllText(file, "x");
                break;
            default:
                File.Delete(file);
                break;
        }

        var exception = Assert.Throws<InvalidFileException>(() => CheckpointFolder.Verify(path));
        Assert.Contains(file, exception.Message, StringComparison.Ordinal);
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"formatVersion\":99,\"files\":{}}", "newer program")]
    [InlineData("{\"formatVersion\":\"1\",\"files\":{}}", "wrong type")]
    [InlineData("{\"formatVersion\":1,\"files\":[]}", "wrong type")]
    [InlineData("{\"formatVersion\":1,\"files\":{\"file\":7}}", "wrong type")]
    [InlineData("{\"formatVersion\":1,\"files\":{\"file\":{\"bytes\":1e30,\"sha256\":\"\"}}}", "wrong type")]
    [InlineData("{\"formatVersion\":1,\"files\":{\"file\":{\"bytes\":7,\"sha256\":1}}}", "wrong type")]
    [InlineData("{\"formatVersion\":1}", "files")]
    [InlineData("{\"formatVersion\":1,\"files\":{}}", "no entry for config.json")]
    [InlineData("{\"formatVersion\":1,\"files\":{\"/dev/zero\":{\"bytes\":0,\"sha256\":\"\"}}}", "other files")]
    [InlineData("{\"formatVersion\":1,\"files\":{\"../secret\":{\"bytes\":0,\"sha256\":\"\"}}}", "other files")]
    [InlineData("{\"formatVersion\":1,\"files\":{\"\\u001b[2J\":{\"bytes\":0,\"sha256\":\"\"}}}", "other files")]
    [InlineData("{\"formatVersion\":1,\"files\":{\"state.json\":{\"bytes\":0,\"sha256\":\"\"},\"state.json\":{\"bytes\":0,\"sha256\":\"\"}}}", "other files")]
    [InlineData("{\"formatVers", "JSON")]
    public void A_broken_completion_record_is_named(string text, string expected)
    {
        using var folder = new TempFolder();
        string path = WriteFiles(folder.Path, 1);
        File.WriteAllText(Path.Combine(path, "complete.json"), text);
        var exception = Assert.Throws<InvalidFileException>(() => CheckpointFolder.Verify(path));
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
        Assert.Contains("complete.json", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("model.safetensors")]
    [InlineData("optimizer.safetensors")]
    [InlineData("state.json")]
    public void A_record_without_one_of_the_files_is_refused(string name)
    {
        using var folder = new TempFolder();
        string path = WriteFiles(folder.Path, 1);
        string record = Path.Combine(path, "complete.json");
        JsonNode json = JsonNode.Parse(File.ReadAllText(record))!;
        Assert.True(json["files"]!.AsObject().Remove(name));
        File.WriteAllText(record, json.ToJsonString());
        Assert.Contains($"no entry for {name}", Assert.Throws<InvalidFileException>(() => CheckpointFolder.Verify(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pipe_in_the_place_of_a_file_is_not_waited_for()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        using var folder = new TempFolder();
        string path = WriteFiles(folder.Path, 1);
        string model = Path.Combine(path, CheckpointFolder.ModelFile);
        File.Delete(model);
        File.CreateSymbolicLink(model, "/dev/zero");
        Assert.Contains("no regular file", Assert.Throws<InvalidFileException>(() => CheckpointFolder.Verify(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_living_process_writes_is_neither_pruned_nor_written_over()
    {
        using var folder = new TempFolder();
        WriteFiles(folder.Path, 1);
        string written = CheckpointFolder.Write(folder.Path, 2, partial =>
        {
            File.WriteAllText(Path.Combine(partial, "state.json"), "being written");
            CheckpointFolder.Prune(folder.Path, keep: 1);
            Assert.True(File.Exists(Path.Combine(partial, "state.json")));
            Assert.Contains("another process", Assert.Throws<RunFailedException>(() => WriteFiles(folder.Path, 2)).Message, StringComparison.Ordinal);
            Assert.True(File.Exists(Path.Combine(partial, "state.json")));
        });
        Assert.True(Directory.Exists(written));
        Assert.Equal(["step-000001", "step-000002"], folder.Names);

        // What a killed process left binds nobody.
        Directory.CreateDirectory(Path.Combine(folder.Path, "step-000003.partial"));
        File.WriteAllText(folder.File("step-000003.partial.lock"), string.Empty);
        File.WriteAllText(folder.File("step-000004.partial.lock"), string.Empty);
        CheckpointFolder.Prune(folder.Path, keep: 0);
        Assert.Equal(["step-000001", "step-000002"], folder.Names);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Weights_that_are_not_finite_are_not_saved(bool quantized)
    {
        using var folder = new TempFolder();
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(1, 4, 1)) with
        {
            Memory = new MemoryOptions { Weights = quantized ? new WeightFormats() : Engine.Dense },
        };
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device);
        Weight last = trainer.Layout.Weights.Layers[^1].Matrices.Last();
        PlannedTensor damaged = quantized ? last.Scales! : last.Values;
        Tensor view = damaged;
        Tensor end = view.ElementRange(((long)view.Rows * view.Columns) - 1, 1);
        device.Upload(quantized ? BitConverter.GetBytes((ushort)0x7F80) : BitConverter.GetBytes(float.NaN), end);

        var state = new RunState(1, 4, default, options.Seed, "tokenizer");
        string message = Assert.Throws<RunFailedException>(() => Checkpoint.Save(trainer, state, folder.Path)).Message;
        Assert.Contains(last.Parameter.Name, message, StringComparison.Ordinal);
        Assert.Contains("not finite", message, StringComparison.Ordinal);
        Assert.Empty(folder.Names);
    }

    /// <summary>Adam's bias correction needs all decays so far: those of --beta2-tokens change with the tokens of an update.</summary>
    [Fact]
    public void Decays_that_change_are_remembered()
    {
        using var folder = new TempFolder();
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(1, 4, 1));
        TrainingOptions changed = options with { Optimizer = options.Optimizer with { Beta2 = 0.95 } };
        using CpuDevice device = Engine.Cpu(), otherDevice = Engine.Cpu(), lastDevice = Engine.Cpu();
        using Trainer first = Engine.Trainer(options, device), second = Engine.Trainer(changed, otherDevice), last = Engine.Trainer(changed, lastDevice);
        var expected = new DecayHistory(0.9, 0.95, Since: 3, Math.Pow(0.9, 3), Math.Pow(0.999, 3));
        Checkpoint.Load(second, Checkpoint.Save(first, new RunState(3, 12, default, options.Seed, "t"), folder.Path));
        Assert.Equal(expected, second.Decays);
        Checkpoint.Load(last, Checkpoint.Save(second, new RunState(5, 20, default, options.Seed, "t"), folder.Path));
        Assert.Equal(expected, last.Decays);
    }

    [Theory]
    [InlineData("\"beta2\": 1.5", "holds decays that are none")]
    [InlineData("\"beta2\": -1", "holds decays that are none")]
    [InlineData("\"beta2\": \"x\"", "beta2")]
    public void Decays_that_are_none_are_told(string beta2, string expected)
    {
        using var folder = new TempFolder();
        string path = folder.File("state.json");
        var state = new RunState(2, 1, new DataPosition(0, 3), 1, "t") { Decays = new DecayHistory(0.9, 0.999) };
        File.WriteAllText(path, System.Text.Encoding.UTF8.GetString(state.ToUtf8()).Replace("\"beta2\": 0.999", beta2, StringComparison.Ordinal));
        string message = Assert.Throws<InvalidFileException>(() => RunState.Read(path)).Message;
        Assert.Contains(path, message, StringComparison.Ordinal);
        Assert.True(expected == "beta2" || message.Contains(expected, StringComparison.Ordinal), message);
    }

    [Fact]
    public void A_state_of_an_earlier_version_has_no_fingerprint_of_its_data()
    {
        using var folder = new TempFolder();
        string path = folder.File("state.json");
        File.WriteAllText(path, "{\"formatVersion\":1,\"step\":2,\"tokens\":1,\"epoch\":0,\"sequence\":3,\"seed\":1,\"tokenizer\":\"t\"}");
        RunState old = RunState.Read(path);
        Assert.Equal(new RunState(2, 1, new DataPosition(0, 3), 1, "t"), old);
        RunState state = old with { DataFingerprint = "f", NextLearningRate = 0.1f, DataTokens = 7, Decays = new DecayHistory(0.9, 0.999, 2, 0.81, 0.998) };
        File.WriteAllBytes(path, state.ToUtf8());
        Assert.Equal(state, RunState.Read(path));
    }

    /// <summary>A checkpoint whose files have any content.</summary>
    private static string WriteFiles(string run, int step) => CheckpointFolder.Write(run, step, folder =>
    {
        foreach (string name in (string[])["config.json", "model.safetensors", "optimizer.safetensors", "state.json"])
        {
            File.WriteAllText(Path.Combine(folder, name), "content");
        }
    });

    [Fact]
    public void An_old_checkpoint_that_cannot_be_removed_does_not_end_the_run()
    {
        using var folder = new TempFolder();
        foreach (int step in (int[])[1, 2, 3])
        {
            CheckpointFolder.Write(folder.Path, step, path => File.WriteAllText(Path.Combine(path, "file"), $"{step}"));
        }

        // A file where the oldest would be renamed to: the rename fails, as on Windows when somebody reads the folder.
        File.WriteAllText(Path.Combine(folder.Path, "step-000001.partial"), string.Empty);
        CheckpointFolder.Prune(folder.Path, keep: 1);
        Assert.Equal([1, 3], CheckpointFolder.List(folder.Path).Select(checkpoint => checkpoint.Step));
    }

    [Theory]
    [InlineData("{\"formatVersion\":99,\"step\":1}", "newer program")]
    [InlineData("{\"formatVersion\":null,\"step\":1}", "wrong type")]
    [InlineData("{\"formatVersion\":1}", "step")]
    [InlineData("{\"formatVersion\":1,\"step\":\"x\",\"tokens\":1,\"epoch\":0,\"sequence\":0,\"seed\":1,\"tokenizer\":\"\"}", "wrong type")]
    [InlineData("{\"formatVersion\":1,\"step\":-1,\"tokens\":1,\"epoch\":0,\"sequence\":0,\"seed\":1,\"tokenizer\":\"\"}", "below zero")]
    [InlineData("{\"formatVersion\":1,\"step\":1,\"tokens\":1,\"epoch\":0,\"sequence\":-1,\"seed\":1,\"tokenizer\":\"\"}", "below zero")]
    [InlineData("{\"formatVersion\":1,\"step\":1,\"tokens\":1,\"epoch\":0,\"sequence\":0,\"seed\":-1,\"tokenizer\":\"\"}", "wrong type")]
    [InlineData("not json", "JSON")]
    [InlineData("[]", "JSON object")]
    public void A_broken_state_is_named(string text, string expected)
    {
        using var folder = new TempFolder();
        string path = Path.Combine(folder.Path, "state.json");
        File.WriteAllText(path, text);
        var exception = Assert.Throws<InvalidFileException>(() => RunState.Read(path));
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
        Assert.Contains("state.json", exception.Message, StringComparison.Ordinal);
    }
}
