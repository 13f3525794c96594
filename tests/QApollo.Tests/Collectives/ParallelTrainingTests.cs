using QApollo.Batches;
using QApollo.Checkpoints;
using QApollo.Collectives;
using QApollo.Cpu;
using QApollo.Data;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Optimizers;
using QApollo.Runs;
using QApollo.Tests.Training;
using QApollo.TestSupport;
using QApollo.TestSupport.Collectives;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Collectives;

/// <summary>Ranks train as one: on the same sequences, to the same bytes as each other, to the loss of a single one.</summary>
public sealed class ParallelTrainingTests : IDisposable
{
    private const int Steps = 6;

    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(2, 1, DType.F32)]
    [InlineData(2, 2, DType.BF16)]
    [InlineData(4, 1, DType.F32)]
    [InlineData(4, 2, DType.F32)]
    public void Ranks_hold_the_same_bytes_and_lose_what_one_rank_loses(int size, int gradAccum, DType gradients)
    {
        TrainingOptions Of(int accum) => Options(new StepShape(2, 12, accum)) with
        {
            Memory = new MemoryOptions { Weights = Engine.Dense, GradientDType = gradients, VocabularySlice = 32 },
        };
        Outcome one = Train(Alone.Instance, Of(size * gradAccum), "one");
        Outcome[] many = ThreadRanks.Run(size, ranks => Train(ranks, Of(gradAccum), "many"));

        Assert.All(many, rank => Assert.Equal(many[0].Bytes, rank.Bytes));
        double tolerance = gradients == DType.F32 ? 2e-5 : 2e-3;
        Assert.All(many, rank => Assert.Equal(many[0].Losses, rank.Losses));
        Compare(one.Losses, many[0].Losses, tolerance);
        Compare(one.Norms, many[0].Norms, 50 * tolerance);
        Assert.Equal(one.ValidationLoss, many[0].ValidationLoss, tolerance);
        Assert.Equal(one.Tokens, many[0].Tokens);
    }

    /// <summary>A token is rounded by its place among those of all ranks: no two of an update by the same numbers.</summary>
    [Fact]
    public void Layer_inputs_are_rounded_as_on_one_rank()
    {
        const string Name = "model.layers.1.self_attn.q_proj.weight";
        float[] one = Gradient(Alone.Instance, BoundaryFormat.Int8);
        float[] exact = Gradient(Alone.Instance, BoundaryFormat.Activations);
        float[][] many = ThreadRanks.Run(2, ranks => Gradient(ranks, BoundaryFormat.Int8));
        Assert.Equal(many[0], many[1]);
        global::QApollo.TestSupport.Compare.AllClose(many[0], one, 2e-5 * one.Max(MathF.Abs), 0, "gradient");
        Assert.True(one.Zip(exact).Max(pair => MathF.Abs(pair.First - pair.Second)) > 2e-3 * one.Max(MathF.Abs), "nothing was rounded");

        static float[] Gradient(ICommunicator ranks, BoundaryFormat format)
        {
            TrainingOptions whole = Options(new StepShape(2, 12, 4)) with { Memory = new MemoryOptions { Weights = Engine.Dense, BoundaryFormat = format } };
            (int[] tokens, int[] labels) = Engine.RandomBatch(whole, seed: 8);
            int perRank = whole.Shape.TokensPerStep / ranks.Size;
            var recorder = new GradientRecorder();
            using var device = new CpuDevice(threads: 1);
            using var trainer = new Trainer(whole with { Shape = whole.Shape with { GradAccum = 4 / ranks.Size } }, device, hooks: [recorder], ranks: ranks);
            trainer.Step(tokens.AsSpan(ranks.Rank * perRank, perRank), labels.AsSpan(ranks.Rank * perRank, perRank));
            return recorder.Gradients[Name];
        }
    }

    [Fact]
    public void Quantized_ranks_hold_the_same_bytes_too_and_only_rank_0_writes()
    {
        TrainingOptions options = Options(new StepShape(1, 12, 1)) with { Memory = new MemoryOptions { WireDType = DType.BF16 } };
        Outcome[] many = ThreadRanks.Run(3, ranks => Train(ranks, options, "quantized"));
        Assert.All(many, rank => Assert.Equal(many[0].Bytes, rank.Bytes));
        Assert.Equal([1, 0, 0], many.Select(rank => rank.Saved));
        Assert.Equal(Enumerable.Range(1, Steps), MetricsHistory.Read(folder.File("quantized/metrics.jsonl")).Losses.Select(loss => loss.Step));
    }

    [Fact]
    public void Another_number_of_ranks_goes_on_with_the_same_sequences()
    {
        var whole = new Recorder();
        Train(Alone.Instance, Options(new StepShape(1, 12, 4)), "whole", recorder: whole);
        Recorder[] two = [new(), new()];
        ThreadRanks.Run(2, ranks => Train(ranks, Options(new StepShape(1, 12, 2)), "parts", steps: 3, recorder: two[ranks.Rank]));
        Recorder[] four = [new(), new(), new(), new()];
        Outcome[] last = ThreadRanks.Run(4, ranks => Train(ranks, Options(new StepShape(1, 12, 1)), "parts", resume: true, recorder: four[ranks.Rank]));

        Assert.Equal(whole.Rows.Take(12), Rows(two, steps: 3));
        Assert.Equal(whole.Rows.Skip(12), Rows(four, steps: 3));
        Assert.All(last, rank => Assert.Equal(last[0].Bytes, rank.Bytes));
    }

    [Fact]
    public void Asked_on_one_rank_all_stop_after_the_same_step()
    {
        int[] steps = ThreadRanks.Run(3, ranks =>
        {
            using var stop = new CancellationTokenSource();
            Train(ranks, Options(new StepShape(1, 12, 1)), "stopped", out Trainer trainer, step =>
            {
                if (ranks.Rank == 1 && step == 2)
                {
                    stop.Cancel();
                }
            }, stop: stop.Token);
            return trainer.CompletedSteps;
        });
        Assert.Equal([2, 2, 2], steps);
        Assert.Equal(2, Assert.Single(CheckpointFolder.List(folder.File("stopped"))).Step);
    }

    [Fact]
    public void A_replica_that_differs_ends_the_run_and_is_named()
    {
        Exception?[] failures = ThreadRanks.Failures(3, ranks =>
        {
            using var device = new CpuDevice(threads: 1);
            using var trainer = new Trainer(Options(new StepShape(1, 12, 1)), device, ranks: ranks);
            ReplicaCheck.Require(trainer);
            if (ranks.Rank == 2)
            {
                PlannedTensor codes = trainer.Layout.Weights.Layers[1].Down.Values;
                Tensor one = codes.View.ElementRange(7, 1);
                byte[] value = Engine.Bytes(device, one);
                device.Upload([(byte)(value[0] ^ 1)], one);
            }

            UsageException beginning = Assert.Throws<UsageException>(() => ReplicaCheck.RequireSameBeginning(trainer));
            Assert.Contains("layers.1.mlp.down_proj.weight is not the same on all ranks: rank 0 differs from 2; they read other weights", beginning.Message, StringComparison.Ordinal);
            Assert.True(beginning.OnAllRanks);
            ReplicaCheck.Require(trainer);
        });
        Assert.All(failures, failure => Assert.Contains(
            "step 0: model.layers.1.mlp.down_proj.weight is not the same on all ranks: rank 0 differs from 2;", failure!.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void A_gradient_that_is_not_finite_on_one_rank_ends_all_with_the_same_words()
    {
        Exception?[] failures = ThreadRanks.Failures(2, ranks =>
        {
            using var device = new CpuDevice(threads: 1);
            TrainingOptions options = Options(new StepShape(1, 12, 1)) with { Memory = new MemoryOptions { Weights = Engine.Dense } };
            using var trainer = new Trainer(options, device, hooks: null, ranks: ranks);
            if (ranks.Rank == 1)
            {
                device.Upload(BitConverter.GetBytes(float.NaN), ((Tensor)trainer.Layout.Weights.FinalNorm.Values).ElementRange(0, 1));
            }

            (int[] tokens, int[] labels) = Engine.RandomBatch(options, ranks.Rank);
            trainer.Step(tokens, labels);
        });
        Assert.All(failures, failure => Assert.Equal(failures[0]!.Message, failure!.Message));
        Assert.StartsWith("step 1: the loss is NaN", failures[0]!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_spike_leads_all_ranks_back()
    {
        int[] steps = ThreadRanks.Run(2, ranks =>
        {
            bool spoilt = false;
            Train(
                ranks, Options(new StepShape(1, 12, 1)) with { Memory = new MemoryOptions { Weights = Engine.Dense } }, "rewound", out Trainer trainer,
                onStep: null,
                options => options with { SaveEvery = 2, OnSpike = SpikeAction.Rewind },
                beforeStep: trainer =>
                {
                    if (ranks.Rank == 1 && trainer.CompletedSteps == 3 && !spoilt)
                    {
                        spoilt = true;
                        trainer.Device.Upload(BitConverter.GetBytes(float.NaN), ((Tensor)trainer.Layout.Weights.FinalNorm.Values).ElementRange(0, 1));
                    }
                });
            return trainer.CompletedSteps;
        });
        Assert.Equal([Steps, Steps], steps);
        Assert.Equal(Enumerable.Range(1, Steps), MetricsHistory.Read(folder.File("rewound/metrics.jsonl")).Losses.Select(loss => loss.Step));
    }

    [Fact]
    public void A_plan_for_other_ranks_is_refused()
    {
        using var device = new CpuDevice(threads: 1);
        var layout = new TrainingLayout(Options(new StepShape(1, 12, 1)) with { Ranks = 2 }, device.Profile);
        Assert.Throws<ArgumentException>(() => new Trainer(layout, device));
    }

    private static TrainingOptions Options(StepShape shape) =>
        Engine.Options(Engine.TinyModel(), shape) with { Schedule = new LearningRateSchedule(ScheduleKind.Constant, 0.003, Steps) };

    private static void Compare(IReadOnlyList<double> expected, IReadOnlyList<double> actual, double tolerance)
    {
        Assert.Equal(expected.Count, actual.Count);
        Assert.All(expected.Zip(actual), pair => Assert.InRange(pair.Second, pair.First - (tolerance * pair.First), pair.First + (tolerance * pair.First)));
    }

    /// <summary>In the order in which one rank would have read them.</summary>
    private static IEnumerable<string> Rows(Recorder[] ranks, int steps)
    {
        int perRank = ranks[0].Rows.Count / steps;
        return Enumerable.Range(0, steps).SelectMany(step => ranks.SelectMany(rank => rank.Rows.Skip(step * perRank).Take(perRank)));
    }

    private Outcome Train(ICommunicator ranks, TrainingOptions options, string run, int steps = Steps, bool resume = false, Recorder? recorder = null) =>
        Train(ranks, options, run, out _, null, runOptions => runOptions with { MaxSteps = steps }, null, resume, recorder);

    private Outcome Train(
        ICommunicator ranks, TrainingOptions options, string run, out Trainer trainer, Action<int>? onStep,
        Func<RunOptions, RunOptions>? change = null, Action<Trainer>? beforeStep = null, bool resume = false, Recorder? recorder = null,
        CancellationToken stop = default)
    {
        using var device = new CpuDevice(threads: 1);
        using var made = new Trainer(options, device, ranks: ranks);
        trainer = made;
        var data = TokenDataset.FromTokens(Tokens());
        var batchOptions = new BatchOptions(options.Shape.BatchSize, options.Shape.SequenceLength, options.Model.VocabSize, EndOfDocument: 0, Seed: 3);
        IBatchSource batches = new Observed(new BatchSource(data, batchOptions), recorder, () => beforeStep?.Invoke(made));
        var observer = new Log { Step = onStep };
        var runOptions = new RunOptions { Directory = folder.File(run), MaxSteps = Steps };
        var training = new TrainingRun(
            change?.Invoke(runOptions) ?? runOptions, made, batches, new ValidationBatches(data, batchOptions, 500), "tokenizer", observer);
        if (resume)
        {
            training.Resume();
        }

        training.Run(stop);
        byte[] bytes = [.. Checkpointed(made).SelectMany(tensor => Engine.Bytes(device, tensor))];
        return new Outcome(observer.Losses, observer.Norms, observer.Tokens, training.ValidationLoss, bytes, observer.Saved);
    }

    private static IEnumerable<PlannedTensor> Checkpointed(Trainer trainer) => Checkpoint.StateTensors(trainer.Layout);

    private static int[] Tokens()
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, 2000).Select(i => ((i * i) + random.Next(3)) % 67)];
    }

    private sealed record Outcome(
        IReadOnlyList<double> Losses, IReadOnlyList<double> Norms, IReadOnlyList<int> Tokens, double ValidationLoss, byte[] Bytes, int Saved);

    /// <summary>Each sequence that a rank reads, as text.</summary>
    private sealed class Recorder
    {
        public List<string> Rows { get; } = [];
    }

    private sealed class Observed(BatchSource inner, Recorder? recorder, Action beforeRead) : IBatchSource
    {
        public long DataTokens => inner.DataTokens;

        public string DataFingerprint => string.Empty;

        public DataPosition Position
        {
            get => inner.Position;
            set => inner.Position = value;
        }

        public void Skip(int sequences) => inner.Skip(sequences);

        public void ReadNext(Span<int> tokens, Span<int> labels)
        {
            beforeRead();
            inner.ReadNext(tokens, labels);
            recorder?.Rows.Add(string.Join(' ', tokens.ToArray()));
        }
    }

    private sealed class Log : IRunObserver
    {
        public Action<int>? Step { get; init; }

        public List<double> Losses { get; } = [];

        public List<double> Norms { get; } = [];

        public List<int> Tokens { get; } = [];

        public int Saved { get; private set; }

        public void OnStep(in StepResult result, double tokensPerSecond)
        {
            Losses.Add(result.Loss);
            Norms.Add(result.GradientNorm);
            Tokens.Add(result.Tokens);
            Step?.Invoke(result.Step);
        }

        public void OnValidation(int completedSteps, double loss)
        {
        }

        public void OnSaved(string checkpoint) => Saved++;

        public void OnWarning(string message)
        {
        }
    }
}
