using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Training;

public class TrainerTests
{
    [Fact]
    public void Steps_after_the_first_allocate_no_managed_byte()
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(2, 11, 2)) with
        {
            Memory = new MemoryOptions { Boundaries = MemorySpace.PinnedHost, VocabularySlice = 16 },
        };
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 1);
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device);
        for (int warmup = 0; warmup < 3; warmup++)
        {
            trainer.Step(tokens, labels);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int step = 0; step < 5; step++)
        {
            trainer.Step(tokens, labels);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void The_number_of_threads_changes_no_bit(int threads)
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(2, 11, 2));
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 2);
        Assert.Equal(WeightsAfterSteps(options, 2, tokens, labels), WeightsAfterSteps(options, threads, tokens, labels));
    }

    [Fact]
    public void Another_seed_gives_other_weights()
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(1, 11, 1));
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 2);
        Assert.NotEqual(WeightsAfterSteps(options, 1, tokens, labels), WeightsAfterSteps(options with { Seed = 2 }, 1, tokens, labels));
    }

    [Theory]
    [InlineData("model.layers.1.mlp.up_proj.weight")]
    [InlineData("model.norm.weight")]
    [InlineData("model.embed_tokens.weight")]
    public void A_gradient_that_is_not_finite_stops_the_run_and_is_named(string parameter)
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(1, 11, 1));
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 3);
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device, projections: null, new Poison(parameter));

        var exception = Assert.Throws<RunFailedException>(() => trainer.Step(tokens, labels));

        Assert.Contains("step 1", exception.Message, StringComparison.Ordinal);
        Assert.Contains(parameter, exception.Message, StringComparison.Ordinal);
        Assert.Equal(0, trainer.CompletedSteps);
    }

    [Fact]
    public void A_loss_that_is_not_finite_stops_the_run()
    {
        TrainingOptions options = TrainingStepTests.Dense(Engine.TinyModel(), new StepShape(1, 11, 1));
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 4);
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device);
        Weight norm = trainer.Layout.Weights.FinalNorm;
        trainer.Load(norm, [.. Enumerable.Repeat(float.NaN, norm.Parameter.Columns)]);

        var exception = Assert.Throws<RunFailedException>(() => trainer.Step(tokens, labels));

        Assert.Contains("step 1: the loss is NaN", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_parameter_that_does_not_move_is_found_after_the_first_step_that_should_move_it()
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(1, 11, 1)) with
        {
            Schedule = new LearningRateSchedule(ScheduleKind.Constant, 0.01, 10, WarmupSteps: 1, FromZero: true),
        };
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 5);
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device, projections: null, new Scale("model.layers.0.self_attn.k_proj.weight"));

        trainer.Step(tokens, labels);
        Assert.Null(trainer.UnmovedParameters);
        trainer.Step(tokens, labels);

        Assert.Equal("model.layers.0.self_attn.k_proj.weight", Assert.Single(trainer.UnmovedParameters!).Name);
    }

    [Fact]
    public void A_healthy_model_moves_everywhere()
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(1, 11, 1));
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 6);
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device);

        StepResult result = trainer.Step(tokens, labels);

        Assert.Empty(trainer.UnmovedParameters!);
        Assert.InRange(result.ChangedShare, 0.01, 1);
        Assert.InRange(result.GradientNorm, 1e-6, 1e6);
    }

    [Fact]
    public void Evaluation_gives_the_loss_of_the_step_and_changes_nothing()
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(2, 11, 1));
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 7);
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device);
        Dictionary<string, float[]> before = trainer.ReadAll();

        (double sum, int counted) = trainer.Evaluate(tokens, labels);

        foreach ((string name, float[] weights) in trainer.ReadAll())
        {
            Compare.BitEqual<float>(weights, before[name], name);
        }

        Assert.Equal(labels.Count(label => label >= 0), counted);
        Compare.AllClose([trainer.Step(tokens, labels).Loss], [sum / counted], 1e-6, 0, "loss");
    }

    private static byte[] WeightsAfterSteps(TrainingOptions options, int threads, int[] tokens, int[] labels)
    {
        using var device = new CpuDevice(threads);
        using Trainer trainer = Engine.Trainer(options, device);
        for (int step = 0; step < 3; step++)
        {
            trainer.Step(tokens, labels);
        }

        return [.. trainer.Layout.Weights.All.SelectMany(weight => Engine.Bytes(device, weight.Values))];
    }

    private sealed class Poison(string parameter) : IReleaseHook
    {
        public void BeforeUpdate(IDevice device, in ReleasedGradient released)
        {
            if (released.Parameter.Name == parameter)
            {
                device.Fill(released.Gradient.RowRange(0, 1), float.PositiveInfinity);
            }
        }
    }

    private sealed class Scale(string parameter) : IReleaseHook
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
