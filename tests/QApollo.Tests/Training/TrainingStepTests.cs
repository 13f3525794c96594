using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Training;

/// <summary>The layer-major step computes what plain training computes, with one layer's gradients at a time.</summary>
public class TrainingStepTests
{
    [Theory]
    [InlineData(1, false)]
    [InlineData(3, false)]
    [InlineData(3, true)]
    public void The_step_equals_plain_accumulation_over_the_whole_model(int gradAccum, bool tied) =>
        RequirePlainAccumulation(Engine.TinyModel(tied), gradAccum);

    public static TheoryData<string> Kinds => [.. Kindred.All.Keys];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void The_step_equals_plain_accumulation_for_models_of_every_kind(string kind) => RequirePlainAccumulation(Kindred.All[kind], gradAccum: 2);

    private static void RequirePlainAccumulation(LlamaConfig model, int gradAccum)
    {
        TrainingOptions options = Dense(model, new StepShape(2, 11, gradAccum));
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 5);
        Run run = Train(options, tokens, labels);

        int counted = labels.Count(label => label >= 0);
        var expected = new Dictionary<string, double[]>();
        double loss = 0;
        var reference = new ReferenceLlama(options.Model, run.Initial.ToDictionary(pair => pair.Key, pair => Precision.ToDouble(pair.Value)));
        int perBatch = options.Shape.TokensPerMicroBatch;
        for (int first = 0; first < tokens.Length; first += perBatch)
        {
            ReferencePass pass = reference.Run(Longs(tokens, first, perBatch), Longs(labels, first, perBatch), options.Shape.SequenceLength, counted);
            loss += pass.Loss;
            foreach ((string name, double[] gradient) in pass.Gradients)
            {
                expected[name] = expected.TryGetValue(name, out double[]? sum) ? [.. sum.Zip(gradient, (a, b) => a + b)] : gradient;
            }
        }

        Compare.AllClose([run.Result.Loss], [loss], 1e-5, 0, "loss");
        Assert.Equal(expected.Keys.Order(), run.Gradients.Keys.Order());
        foreach ((string name, double[] gradient) in expected)
        {
            Compare.AllClose(run.Gradients[name], gradient, 2e-5 * gradient.Max(Math.Abs), 0, name);
        }
    }

    [Fact]
    public void Micro_batches_and_one_large_batch_take_the_same_update()
    {
        LlamaConfig model = Engine.TinyModel();
        TrainingOptions split = Dense(model, new StepShape(2, 11, 3)) with { Optimizer = new OptimizerOptions() };
        TrainingOptions whole = split with { Shape = new StepShape(6, 11, 1) };
        (int[] tokens, int[] labels) = Engine.RandomBatch(split, seed: 6);

        Run a = Train(split, tokens, labels, steps: 3);
        Run b = Train(whole, tokens, labels, steps: 3);

        foreach ((string name, float[] weights) in a.Final)
        {
            Compare.AllClose(weights, b.Final[name], 1e-5, 0, name);
            Assert.NotEqual(a.Initial[name], weights);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void At_most_one_layers_gradients_live(int gradAccum)
    {
        LlamaConfig model = Engine.TinyModel(layers: 4);
        using CpuDevice device = Engine.Cpu();
        var layout = new TrainingLayout(Dense(model, new StepShape(1, 11, gradAccum)), device.Profile);
        long layerGradients = layout.Weights.Layers[0].Matrices.Sum(weight => weight.Parameter.Elements * 4) + (2L * model.HiddenSize * 4);
        long largestMatrix = layout.Weights.All.Max(weight => weight.Parameter.Elements * 4);
        long norms = 3L * model.HiddenSize * 4;
        long peak = 0;
        for (int operation = 0; operation < layout.Plan.Operations.Count; operation++)
        {
            peak = Math.Max(peak, layout.Plan.DeviceUsage.At(TensorCategory.Gradients, operation));
        }

        Assert.InRange(peak, largestMatrix, gradAccum == 1 ? largestMatrix + norms : layerGradients + norms);
    }

    [Fact]
    public void Gradients_are_released_from_the_head_down_each_once()
    {
        TrainingOptions options = Dense(Engine.TinyModel(), new StepShape(1, 11, 2));
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 7);

        List<string> order = Train(options, tokens, labels).Order;

        Assert.Equal("lm_head.weight", order[0]);
        Assert.Equal("model.norm.weight", order[1]);
        Assert.StartsWith("model.layers.1.", order[2], StringComparison.Ordinal);
        Assert.StartsWith("model.layers.0.", order[^2], StringComparison.Ordinal);
        Assert.Equal("model.embed_tokens.weight", order[^1]);
        Assert.Equal(ParameterTable.Of(options.Model).Select(parameter => parameter.Name).Order(), order.Order());
    }

    [Fact]
    public void A_hook_can_change_a_gradient()
    {
        TrainingOptions options = Dense(Engine.TinyModel(), new StepShape(1, 11, 1));
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 8);
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device, projections: null, new ZeroGradient("lm_head.weight"));
        Dictionary<string, float[]> before = trainer.ReadAll();

        trainer.Step(tokens, labels);

        Dictionary<string, float[]> after = trainer.ReadAll();
        Assert.Equal(before["lm_head.weight"], after["lm_head.weight"]);
        Assert.NotEqual(before["model.embed_tokens.weight"], after["model.embed_tokens.weight"]);
    }

    [Theory]
    [InlineData(1, false, 0, MemorySpace.Device)]
    [InlineData(3, false, 0, MemorySpace.PinnedHost)]
    [InlineData(3, false, 32, MemorySpace.Device)]
    [InlineData(2, true, 0, MemorySpace.PinnedHost)]
    public void A_skipped_step_changes_no_byte_and_later_steps_are_those_of_a_step_that_never_updated(int gradAccum, bool tied, int slice, MemorySpace boundaries)
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(tied), new StepShape(1, 11, gradAccum)) with
        {
            Memory = new MemoryOptions { VocabularySlice = slice, Boundaries = boundaries },
        };
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 9);
        (int[] bad, int[] badLabels) = Engine.RandomBatch(options, seed: 10);
        var recorder = new GradientRecorder();
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device, projections: null, recorder);
        using Trainer expected = Engine.Trainer(options, device);
        trainer.Step(tokens, labels, _ => false);
        expected.Step(tokens, labels);
        recorder.Order.Clear();
        List<byte[]> before = State(trainer);
        Assert.Equal(State(expected), before);

        double told = 0;
        StepResult skipped = trainer.Step(bad, badLabels, loss => (told = loss) > 0);

        Assert.Equal((true, 2, 0), (skipped.IsSkipped, skipped.Step, skipped.ChangedShare));
        Assert.Equal(skipped.Loss, told);
        Assert.Equal(double.NaN, skipped.GradientNorm);
        Assert.Empty(recorder.Order);
        Assert.Equal(before, State(trainer));

        // The number of the step is used up: rounding, bias correction and learning rate of the next one are those of step 3.
        expected.CompletedSteps = 2;
        StepResult next = trainer.Step(tokens, labels, _ => false);
        Assert.Equal(expected.Step(tokens, labels), next);
        Assert.Equal((3, false), (next.Step, next.IsSkipped));
        Assert.Equal(State(expected), State(trainer));
    }

    /// <summary>Every byte that a checkpoint keeps of weights and optimizers.</summary>
    private static List<byte[]> State(Trainer trainer) =>
    [
        .. trainer.Layout.Weights.All
            .SelectMany(weight => (PlannedTensor?[])[weight.Values, weight.Scales, weight.ZeroPoints, weight.Residuals])
            .Concat(trainer.Layout.Optimizers.SelectMany(optimizer => optimizer.State))
            .OfType<PlannedTensor>()
            .Select(tensor => Engine.Bytes(trainer.Device, tensor)),
    ];

    internal static TrainingOptions Dense(LlamaConfig model, StepShape shape) => Engine.Options(model, shape) with
    {
        Optimizer = new OptimizerOptions { Kind = OptimizerKind.Sgd },
        Memory = new MemoryOptions { Weights = Engine.Dense },
    };

    internal static Run Train(TrainingOptions options, int[] tokens, int[] labels, int steps = 1)
    {
        var recorder = new GradientRecorder();
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device, projections: null, recorder);
        Kindred.Randomize(trainer);
        Dictionary<string, float[]> initial = trainer.ReadAll();
        StepResult result = default;
        for (int step = 0; step < steps; step++)
        {
            recorder.Order.Clear();
            result = trainer.Step(tokens, labels);
        }

        return new Run(result, initial, trainer.ReadAll(), recorder.Gradients, recorder.Order);
    }

    private static long[] Longs(int[] values, int first, int count) => [.. values.AsSpan(first, count).ToArray().Select(value => (long)value)];

    /// <summary>What a short training gave; gradients of its last step.</summary>
    internal sealed record Run(
        StepResult Result, Dictionary<string, float[]> Initial, Dictionary<string, float[]> Final, Dictionary<string, float[]> Gradients, List<string> Order);

    private sealed class ZeroGradient(string parameter) : IReleaseHook
    {
        public void BeforeUpdate(IDevice device, in ReleasedGradient released)
        {
            if (released.Parameter.Name == parameter)
            {
                device.Zero(released.Gradient);
            }
        }
    }
}
