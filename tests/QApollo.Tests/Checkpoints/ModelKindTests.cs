using QApollo.Batches;
using QApollo.Checkpoints;
using QApollo.Cpu;
using QApollo.Files;
using QApollo.Inference;
using QApollo.Models;
using QApollo.Runs;
using QApollo.Tests.Training;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Checkpoints;

/// <summary>Models of every kind from their folders, and through checkpoints.</summary>
public class ModelKindTests
{
    public static TheoryData<string> Kinds => [.. Kindred.All.Keys];

    /// <summary>What is trained on first is the model as it came: its loss is that of scoring, and that of the oracle.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void The_first_steps_loss_is_that_of_the_model_as_it_came(string kind)
    {
        using var temp = new TempFolder();
        Dictionary<string, float[]> values = HuggingFaceFolder.Write(temp.Path, Kindred.All[kind], seed: 3);
        using var folder = new ModelFolder(temp.Path);
        Assert.Equal(Kindred.All[kind], folder.Config);
        TrainingOptions options = Options(folder.Config, folder.Formats);
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 9);
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device);
        QuantizationError lost = folder.Load(device, trainer.Layout.Weights, trainer.Layout.WeightStaging, compare: true);

        double scored = Score(folder, folder.Formats, options, tokens, labels);
        StepResult first = trainer.Step(tokens, labels);

        Assert.Equal(0, lost.Squares);
        Assert.Equal(scored, first.Loss, 1e-6);
        var reference = new ReferenceLlama(folder.Config, values.ToDictionary(pair => pair.Key, pair => Precision.ToDouble(pair.Value)));
        double expected = reference.Run([.. tokens.Select(token => (long)token)], [.. labels.Select(label => (long)label)], options.Shape.SequenceLength).Loss;
        Assert.Equal(expected, first.Loss, 1e-4);
        Assert.Empty(trainer.UnmovedParameters!);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void INT8_weights_score_as_they_train_and_what_they_lost_is_told(string kind)
    {
        using var temp = new TempFolder();
        Dictionary<string, float[]> values = HuggingFaceFolder.Write(temp.Path, Kindred.All[kind], seed: 4, SafetensorsDType.F16);
        using var folder = new ModelFolder(temp.Path);
        var formats = new WeightFormats(WeightFormat.Int8, WeightFormat.F32, GroupSize: 32);
        TrainingOptions options = Options(folder.Config, formats);
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 9);
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device);
        QuantizationError lost = folder.Load(device, trainer.Layout.Weights, trainer.Layout.WeightStaging, compare: true);

        Assert.Equal(Score(folder, formats, options, tokens, labels), trainer.Step(tokens, labels).Loss, 1e-6);

        // Uniform in +-a, cut into 255 steps of 2a / 255: errors of step / sqrt(12) against a / sqrt(3), so 1 / 255.
        Assert.InRange(lost.Relative, 0.8 / 255, 1.2 / 255);
        double squares = ParameterTable.Of(folder.Config).Where(parameter => parameter.IsMatrix)
            .Sum(parameter => values[parameter.Name].Sum(value => Math.Pow((float)(Half)value, 2)));
        Assert.Equal(squares, lost.Squares, squares * 1e-6);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_model_survives_its_checkpoint(string kind)
    {
        using var temp = new TempFolder();
        Dictionary<string, float[]> values = HuggingFaceFolder.Write(temp.File("in"), Kindred.All[kind], seed: 5);
        string run = Directory.CreateDirectory(temp.File("run")).FullName;
        string checkpoint;
        using (var folder = new ModelFolder(temp.File("in")))
        {
            using CpuDevice device = Engine.Cpu();
            using Trainer trainer = Engine.Trainer(Options(folder.Config, folder.Formats), device);
            folder.Load(device, trainer.Layout.Weights, trainer.Layout.WeightStaging);
            checkpoint = Checkpoint.Save(trainer, new RunState(1, 0, new DataPosition(0, 0), 1, "00"), run);
        }

        using var again = new ModelFolder(checkpoint);
        Assert.Equal(Kindred.All[kind], again.Config);
        using CpuDevice other = Engine.Cpu();
        using Trainer loaded = Engine.Trainer(Options(again.Config, again.Formats), other);
        again.Load(other, loaded.Layout.Weights, loaded.Layout.WeightStaging);
        foreach ((string name, float[] read) in loaded.ReadAll())
        {
            Compare.BitEqual<float>(read, values[name], name);
        }

        Assert.Equal(1, Checkpoint.Load(loaded, checkpoint).Step);
    }

    [Theory]
    [InlineData("pytorch_model.bin", "its weights are pickled (pytorch_model.bin), and unpickling can run any code")]
    [InlineData("pytorch_model-00001-of-00002.bin", "its weights are pickled")]
    [InlineData("consolidated.00.pth", "its weights are pickled (consolidated.00.pth)")]
    [InlineData("model.ckpt", "its weights are pickled (model.ckpt)")]
    [InlineData("model-Q8_0.gguf", "its weights are GGUF (model-Q8_0.gguf)")]
    [InlineData("fineweb.bin", "holds no model.safetensors")]
    public void Weights_of_other_kinds_are_refused_with_the_cure(string file, string expected)
    {
        using var temp = new TempFolder();
        PendingFile.WriteAll(temp.File("config.json"), LlamaConfigJson.ToUtf8(Engine.TinyModel()));
        File.WriteAllText(temp.File(file), "PK");
        string message = Assert.Throws<UsageException>(() => new ModelFolder(temp.Path)).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Eight_bit_floats_are_refused_by_name()
    {
        using var temp = new TempFolder();
        HuggingFaceFolder.Write(temp.Path, Engine.TinyModel(), seed: 1);
        string path = temp.File("model.safetensors");
        byte[] bytes = File.ReadAllBytes(path);
        byte[] name = "\"F32\""u8.ToArray();
        "\"F8E\""u8.CopyTo(bytes.AsSpan(bytes.AsSpan().IndexOf(name)));
        File.WriteAllBytes(path, bytes);
        Assert.Contains("dtype \"F8E\" is not supported", Assert.Throws<InvalidFileException>(() => new ModelFolder(temp.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Sequences_beyond_the_attention_window_are_not_planned()
    {
        LlamaConfig windowed = Kindred.All["mistral, yarn, window"];
        using CpuDevice device = Engine.Cpu();
        Assert.Throws<UsageException>(() => new TrainingLayout(Engine.Options(windowed, new StepShape(1, 65, 1)), device.Profile));
        Assert.Throws<UsageException>(() => new InferenceLayout(new InferenceOptions { Model = windowed, Weights = Engine.Dense, GeneratedTokens = 65 }, device.Profile));
    }

    private static TrainingOptions Options(LlamaConfig model, WeightFormats formats) =>
        Engine.Options(model, new StepShape(2, 11, 1)) with { Memory = new MemoryOptions { Weights = formats } };

    private static double Score(ModelFolder folder, WeightFormats formats, TrainingOptions options, int[] tokens, int[] labels)
    {
        using CpuDevice device = Engine.Cpu();
        var inference = new InferenceOptions
        {
            Model = folder.Config,
            Weights = formats,
            BatchSize = options.Shape.BatchSize,
            SequenceLength = options.Shape.SequenceLength,
        };
        using var model = new InferenceModel(folder, inference, device);
        return model.Layout.Scoring!.LossSum(device, tokens, labels) / labels.Count(label => label >= 0);
    }
}
