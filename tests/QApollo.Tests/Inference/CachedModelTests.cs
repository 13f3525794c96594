using System.Runtime.InteropServices;
using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Inference;
using QApollo.Memory;
using QApollo.Runs;
using QApollo.Tests.Training;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Inference;

/// <summary>Token by token with a cache is the same model as whole sequences.</summary>
public class CachedModelTests
{
    private const int Length = 130;

    /// <summary>How a sequence is cut into calls, and micro-batches per step (with two, weights have expansions).</summary>
    public static TheoryData<string, int[], int> Cuts => new()
    {
        { "token by token", [.. Enumerable.Repeat(1, Length)], 1 },
        { "prompt, then tokens", [70, .. Enumerable.Repeat(1, Length - 70)], 1 },
        { "short prompt", [3, .. Enumerable.Repeat(1, Length - 3)], 2 },
        { "several pieces, the last across the end of the capacity", [64, 1, 30, 2, 1, 32], 1 },
        { "all at once", [Length], 1 },
    };

    [Theory]
    [MemberData(nameof(Cuts))]
    public void Logits_equal_those_of_the_whole_sequence(string name, int[] cuts, int gradAccum)
    {
        using CpuDevice cpu = Engine.Cpu();
        var recorder = new LogitRecorder(cpu);
        using var device = new TracingDevice(cpu.Profile, recorder, cpu);
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(1, Length, gradAccum)) with { SampleTokens = Length };
        using Trainer trainer = Engine.Trainer(options, device);
        int[] tokens = Engine.RandomBatch(options, seed: 3).Tokens[..Length];
        trainer.Evaluate(tokens, tokens);
        float[] expected = [.. recorder.Values];

        CachedModel model = trainer.Layout.Sampling!;
        int vocabulary = options.Model.VocabSize;
        int read = 0;
        model.Reset();
        foreach (int count in cuts)
        {
            float[] logits = model.Append(device, tokens.AsSpan(read, count)).ToArray();
            read += count;
            Assert.Equal(read, model.Length);
            Compare.AllClose(logits, expected.AsSpan((read - 1) * vocabulary, vocabulary).ToArray(), 2e-5, 1e-5, $"{name}, after token {read}");
        }

        Assert.Equal(Length, read);
    }

    public static TheoryData<string> Kinds => [.. Kindred.All.Keys];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Models_of_every_kind_say_the_same_with_a_cache(string kind)
    {
        using CpuDevice cpu = Engine.Cpu();
        var recorder = new LogitRecorder(cpu);
        using var device = new TracingDevice(cpu.Profile, recorder, cpu);
        TrainingOptions options = Engine.Options(Kindred.All[kind], new StepShape(1, 40, 1)) with { SampleTokens = 40 };
        using Trainer trainer = Engine.Trainer(options, device);
        Kindred.Randomize(trainer);
        int[] tokens = Engine.RandomBatch(options, seed: 3).Tokens;
        trainer.Evaluate(tokens, tokens);
        float[] expected = [.. recorder.Values];

        CachedModel model = trainer.Layout.Sampling!;
        int vocabulary = options.Model.VocabSize;
        int read = 0;
        foreach (int count in (int[])[25, 1, 1, 12, 1])
        {
            float[] logits = model.Append(device, tokens.AsSpan(read, count)).ToArray();
            read += count;
            Compare.AllClose(logits, expected.AsSpan((read - 1) * vocabulary, vocabulary).ToArray(), 2e-5, 1e-5, $"{kind}, after token {read}");
        }
    }

    [Fact]
    public void Nothing_that_a_token_writes_lies_in_the_cache_of_the_tokens_before_it()
    {
        var layout = new InferenceLayout(
            new InferenceOptions { Model = Engine.TinyModel(), Weights = Engine.Dense, GeneratedTokens = 192, BatchSize = 2, SequenceLength = 192 },
            new CpuProfile(threads: 2));
        PlannedTensor[] Named(string start) => [.. layout.Plan.Table.Tensors.Where(tensor => tensor.Name.StartsWith(start, StringComparison.Ordinal))];
        PlannedTensor[] cache = Named("cache.");
        PlannedTensor[] written = [.. Named("single."), .. Named("chunk."), .. Named("next.")];
        Assert.NotEmpty(cache);
        Assert.NotEmpty(written);
        Assert.DoesNotContain(written, tensor => cache.Any(kept =>
            kept.Space == tensor.Space && tensor.Offset < kept.Offset + kept.Bytes && kept.Offset < tensor.Offset + tensor.Bytes));
    }

    [Fact]
    public void A_second_sequence_sees_nothing_of_the_first()
    {
        using CpuDevice device = Engine.Cpu();
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(1, 40, 1)) with { SampleTokens = 40 };
        using Trainer trainer = Engine.Trainer(options, device);
        CachedModel model = trainer.Layout.Sampling!;
        float[] first = model.Append(device, [5, 6, 7]).ToArray();
        model.Append(device, Engine.RandomBatch(options, seed: 4).Tokens.AsSpan(0, 30));

        model.Reset();

        Compare.BitEqual<float>(model.Append(device, [5, 6, 7]).ToArray(), first, "logits");
    }

    [Fact]
    public void More_tokens_than_fit_are_refused()
    {
        using CpuDevice device = Engine.Cpu();
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(1, 11, 1)) with { SampleTokens = 8 };
        using Trainer trainer = Engine.Trainer(options, device);
        CachedModel model = trainer.Layout.Sampling!;
        Assert.Equal(8, model.Capacity);
        model.Append(device, new int[7]);

        Assert.Contains("2 tokens after 7", Assert.Throws<ArgumentException>(() => model.Append(device, new int[2])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => model.Append(device, []));
    }

    [Fact]
    public void Samples_between_steps_change_no_byte_of_the_training()
    {
        Assert.Equal(BytesAfterSteps(sampleTokens: 0), BytesAfterSteps(sampleTokens: 24));
    }

    [Fact]
    public void A_run_with_samples_uses_exactly_what_was_planned()
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(2, 90, 2)) with { SampleTokens = 90 };
        using CpuDevice cpu = Engine.Cpu();
        var layout = new TrainingLayout(options, cpu.Profile);
        var meter = new ArenaMeter(layout.Plan);
        using var device = new TracingDevice(cpu.Profile, meter, cpu);
        using var trainer = new Trainer(layout, device);
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 1);
        trainer.Step(tokens, labels);
        trainer.Evaluate(tokens.AsSpan(0, 180), labels.AsSpan(0, 180));
        layout.Sampling!.Rehearse(device);

        Assert.Equal([(MemorySpace.Device, layout.Plan.DeviceArenaBytes)], device.Allocations);
        Assert.Equal(layout.Plan.Operations.Count, meter.Operations);
        Assert.Equal(layout.Plan.DeviceArenaBytes, meter.DeviceHighWater);
    }

    private static byte[] BytesAfterSteps(int sampleTokens)
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(2, 24, 2)) with { SampleTokens = sampleTokens };
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device);
        for (int step = 0; step < 4; step++)
        {
            (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: step);
            trainer.Step(tokens, labels);
            if (sampleTokens > 0)
            {
                new RunSampler(trainer, new NumberTokenizer(options.Model.VocabSize), "1 2 3").Sample();
            }
        }

        return
        [
            .. trainer.Layout.Weights.All.SelectMany(weight => Engine.Bytes(device, weight.Values)),
            .. trainer.Layout.Optimizers.SelectMany(optimizer => optimizer.State).SelectMany(state => Engine.Bytes(device, state)),
        ];
    }
}

/// <summary>Copies the logits of every chunk before the loss is taken of them.</summary>
internal sealed class LogitRecorder(IDevice device) : IOperationObserver
{
    public List<float> Values { get; } = [];

    public void OnOperation(string operation, ReadOnlySpan<Access> accesses)
    {
        if (operation == "cross-entropy forward")
        {
            var values = new float[accesses[0].Tensor.Elements];
            device.Download(accesses[0].Tensor, MemoryMarshal.AsBytes(values.AsSpan()));
            Values.AddRange(values);
        }
    }
}
