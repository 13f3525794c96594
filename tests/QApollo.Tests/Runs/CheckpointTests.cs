using QApollo.Batches;
using QApollo.Checkpoints;
using QApollo.Cpu;
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
        Assert.Equal(state, Checkpoint.Load(restored, path));
        Assert.Equal(3, restored.CompletedSteps);
        restored.Step(tokens, labels);

        foreach ((string name, float[] weights) in whole.ReadAll())
        {
            Compare.BitEqual<float>(restored.ReadAll()[name], weights, name);
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
    [InlineData("file", "checksum")]
    [InlineData("longer", "bytes")]
    [InlineData("missing", "missing")]
    public void Damage_is_found_and_named(string damage, string expected)
    {
        using var folder = new TempFolder();
        string path = CheckpointFolder.Write(folder.Path, 1, checkpoint => File.WriteAllText(Path.Combine(checkpoint, "file"), "content"));
        CheckpointFolder.Verify(path);
        string file = Path.Combine(path, "file");
        switch (damage)
        {
            case "file":
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
    [InlineData("{\"formatVers", "JSON")]
    public void A_broken_completion_record_is_named(string text, string expected)
    {
        using var folder = new TempFolder();
        string path = CheckpointFolder.Write(folder.Path, 1, checkpoint => File.WriteAllText(Path.Combine(checkpoint, "file"), "content"));
        File.WriteAllText(Path.Combine(path, "complete.json"), text);
        var exception = Assert.Throws<InvalidFileException>(() => CheckpointFolder.Verify(path));
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
        Assert.Contains("complete.json", exception.Message, StringComparison.Ordinal);
    }

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
