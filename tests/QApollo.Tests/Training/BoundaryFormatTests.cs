using QApollo.Batches;
using QApollo.Checkpoints;
using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Runs;
using QApollo.Tests.Memory;
using QApollo.TestSupport;
using QApollo.TestSupport.Goldens;
using QApollo.Training;
using Xunit;
using Xunit.Abstractions;

namespace QApollo.Tests.Training;

/// <summary>Layer inputs that are kept in fewer bits: the same loss, gradients that are off by little and in no direction, the same bytes wherever they wait.</summary>
public class BoundaryFormatTests(ITestOutputHelper log)
{
    private static readonly TrainingOptions Plain = Engine.Options(Engine.TinyModel(layers: 3), new StepShape(2, 11, 3)) with
    {
        Memory = new MemoryOptions { Weights = new WeightFormats(WeightFormat.Int8, WeightFormat.BF16, 32) },
    };

    [Theory]
    [InlineData(BoundaryFormat.Int8)]
    [InlineData(BoundaryFormat.BF16)]
    public void The_forward_pass_rounds_nothing(BoundaryFormat format)
    {
        (int[] tokens, int[] labels) = Engine.RandomBatch(Plain, seed: 9);
        TrainingStepTests.Run expected = TrainingStepTests.Train(Plain, tokens, labels, steps: 1);
        TrainingStepTests.Run actual = TrainingStepTests.Train(With(Plain, format), tokens, labels, steps: 1);
        Assert.Equal(expected.Result.Loss, actual.Result.Loss);
        Assert.NotEqual(expected.Gradients["model.layers.2.mlp.up_proj.weight"], actual.Gradients["model.layers.2.mlp.up_proj.weight"]);

        // Nothing of the head is recomputed.
        Compare.BitEqual<float>(actual.Gradients["lm_head.weight"], expected.Gradients["lm_head.weight"], "gradient of the head");
    }

    [Fact]
    public void F32_is_what_the_processor_keeps_anyway()
    {
        (int[] tokens, int[] labels) = Engine.RandomBatch(Plain, seed: 9);
        Dictionary<string, float[]> expected = TrainingStepTests.Train(Plain, tokens, labels, steps: 2).Final;
        Dictionary<string, float[]> actual = TrainingStepTests.Train(With(Plain, BoundaryFormat.F32), tokens, labels, steps: 2).Final;
        Assert.All(expected, weight => Compare.BitEqual<float>(actual[weight.Key], weight.Value, weight.Key));
    }

    /// <summary>Where they wait, in which portions they come, and what happens to the head changes no bit of what is kept.</summary>
    [Theory]
    [InlineData(BoundaryFormat.Int8, 1, 0, 3)]
    [InlineData(BoundaryFormat.Int8, 3, 0, 3)]
    [InlineData(BoundaryFormat.Int8, 7, 16, 3)]
    [InlineData(BoundaryFormat.Int8, 2, 0, 1)]
    [InlineData(BoundaryFormat.BF16, 3, 16, 3)]
    public void In_host_memory_they_are_the_same(BoundaryFormat format, int gradAccum, int slice, int layers)
    {
        TrainingOptions options = With(Plain, format);
        options = options with
        {
            Model = Engine.TinyModel(layers: layers),
            Shape = new StepShape(1, 11, gradAccum),
            Memory = options.Memory with { VocabularySlice = slice },
        };
        TrainingOptions host = options with { Memory = options.Memory with { Boundaries = MemorySpace.PinnedHost } };
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 4);
        TrainingStepTests.Run expected = TrainingStepTests.Train(options, tokens, labels, steps: 3);
        TrainingStepTests.Run actual = TrainingStepTests.Train(host, tokens, labels, steps: 3);
        Assert.Equal(expected.Result.Loss, actual.Result.Loss);
        Assert.All(expected.Final, weight => Compare.BitEqual<float>(actual.Final[weight.Key], weight.Value, weight.Key));
    }

    /// <summary>A token's rounding depends on its place in the update, not on the micro-batch that it comes in.</summary>
    [Fact]
    public void Portions_round_alike()
    {
        (int[] tokens, int[] labels) = Engine.RandomBatch(Plain, seed: 9);
        TrainingOptions whole = With(Plain, BoundaryFormat.Int8) with { Shape = new StepShape(6, 11, 1) };
        TrainingOptions parts = whole with { Shape = new StepShape(2, 11, 3) };
        Dictionary<string, float[]> expected = TrainingStepTests.Train(whole, tokens, labels, steps: 1).Gradients;
        Dictionary<string, float[]> actual = TrainingStepTests.Train(parts, tokens, labels, steps: 1).Gradients;
        Assert.All(expected, gradient => Compare.AllClose(actual[gradient.Key], gradient.Value, 1e-5 * gradient.Value.Max(MathF.Abs), 0, gradient.Key));
    }

    [Fact]
    public void A_resumed_run_rounds_as_the_whole_one()
    {
        TrainingOptions options = With(Plain, BoundaryFormat.Int8);
        using var folder = new TempFolder();
        using CpuDevice device = Engine.Cpu();
        using Trainer whole = Engine.Trainer(options, device);
        string checkpoint = string.Empty;
        for (int step = 0; step < 3; step++)
        {
            if (step == 2)
            {
                checkpoint = Checkpoint.Save(whole, new RunState(2, 1, new DataPosition(0, 0), options.Seed, "tokenizer"), folder.Path);
            }

            Step(whole, step);
        }

        using Trainer resumed = Engine.Trainer(options, device);
        Checkpoint.Load(resumed, checkpoint);
        Step(resumed, 2);
        Dictionary<string, float[]> expected = whole.ReadAll(), actual = resumed.ReadAll();
        Assert.All(expected, weight => Compare.BitEqual<float>(actual[weight.Key], weight.Value, weight.Key));

        void Step(Trainer trainer, int step)
        {
            (int[] tokens, int[] labels) = Engine.RandomBatch(options, step);
            trainer.Step(tokens, labels);
        }
    }

    /// <summary>Relative errors of the gradients of a layer's matrices, and those of the mean over many steps' roundings.</summary>
    [Fact]
    public void Gradients_are_off_by_little_and_in_no_direction()
    {
        const int Draws = 64;
        LlamaGolden golden = LlamaGolden.Load("llama_forward_backward_a");
        float[][] exact = LayerGradients(golden, BoundaryFormat.Activations, steps: 1)[0];
        float[][] bfloat = LayerGradients(golden, BoundaryFormat.BF16, steps: 1)[0];
        float[][][] drawn = LayerGradients(golden, BoundaryFormat.Int8, Draws);
        log.WriteLine("layer: BF16; INT8, one update (root mean square of {0}); INT8, mean of {0} updates", Draws);
        for (int layer = 0; layer < exact.Length; layer++)
        {
            double one = Math.Sqrt(drawn.Average(draw => Math.Pow(RelativeError(draw[layer], exact[layer]), 2)));
            float[] mean = [.. Enumerable.Range(0, exact[layer].Length).Select(i => drawn.Average(draw => draw[layer][i]))];
            double ofMean = RelativeError(mean, exact[layer]), rounded = RelativeError(bfloat[layer], exact[layer]);
            log.WriteLine(FormattableString.Invariant($"{layer}: {rounded:P3}; {one:P3}; {ofMean:P3}"));

            // A row's step is 1/127 of its largest value, here three deviations: 1/100 of a value, and a layer magnifies what goes through it.
            Assert.InRange(one, 0.001, 0.05);
            Assert.InRange(rounded, 1e-5, 0.01);

            // Errors of no direction shrink with the root of their number.
            Assert.True(ofMean < 2 * one / Math.Sqrt(Draws), FormattableString.Invariant($"layer {layer}: one update is off by {one}, the mean of {Draws} by {ofMean}"));
        }
    }

    [Theory]
    [InlineData(BoundaryFormat.Int8, MemorySpace.Device)]
    [InlineData(BoundaryFormat.Int8, MemorySpace.PinnedHost)]
    [InlineData(BoundaryFormat.BF16, MemorySpace.PinnedHost)]
    public void A_run_uses_exactly_what_was_planned(BoundaryFormat format, MemorySpace space)
    {
        TrainingOptions options = With(Plain, format);
        PlanAndRun.RequireEqual(options with { Memory = options.Memory with { Boundaries = space } }, $"{format} in {space}");
    }

    [Fact]
    public void Steps_allocate_nothing_on_the_managed_heap()
    {
        TrainingOptions options = With(Plain, BoundaryFormat.Int8);
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options with { Memory = options.Memory with { Boundaries = MemorySpace.PinnedHost } }, device);
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 1);
        trainer.Step(tokens, labels);
        trainer.Step(tokens, labels);
        long before = GC.GetAllocatedBytesForCurrentThread();
        trainer.Step(tokens, labels);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static TrainingOptions With(TrainingOptions options, BoundaryFormat format) =>
        options with { Memory = options.Memory with { BoundaryFormat = format } };

    /// <summary>For each step, from unchanged weights, and each layer: the gradients of its matrices, one after the other.</summary>
    private static float[][][] LayerGradients(LlamaGolden golden, BoundaryFormat format, int steps)
    {
        TrainingOptions options = Engine.Options(golden.Config, new StepShape(golden.Batch, golden.Sequence, 1)) with
        {
            Schedule = new LearningRateSchedule(ScheduleKind.Constant, 0, steps),
            Optimizer = new OptimizerOptions { Kind = OptimizerKind.Sgd },
            Memory = new MemoryOptions { Weights = Engine.Dense, BoundaryFormat = format },
        };
        var gradients = new GradientRecorder();
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device, projections: null, gradients);
        trainer.Load(golden.Weights);
        return [.. Enumerable.Range(0, steps).Select(_ =>
        {
            trainer.Step(Engine.ToInts(golden.InputIds), Engine.ToInts(golden.Labels));
            return trainer.Layout.Weights.Layers
                .Select(layer => layer.Matrices.SelectMany(weight => gradients.Gradients[weight.Parameter.Name]).ToArray()).ToArray();
        })];
    }

    private static double RelativeError(float[] actual, float[] expected)
    {
        double squares = expected.Zip(actual).Sum(pair => Math.Pow(pair.First - pair.Second, 2));
        return Math.Sqrt(squares / expected.Sum(value => (double)value * value));
    }
}
