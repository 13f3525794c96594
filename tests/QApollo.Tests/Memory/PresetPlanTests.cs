using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Tests.Models;
using QApollo.Tests.Training;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Memory;

/// <summary>The plan is the allocation for the shape of every preset.</summary>
public class PresetPlanTests
{
    public static TheoryData<string> Presets => [.. LlamaPresets.All.Select(preset => preset.Name)];

    [Theory]
    [InlineData("demo")]
    [InlineData("9m")]
    public void A_preset_uses_exactly_what_was_planned(string preset) =>
        PlanAndRun.RequireEqual(Engine.Options(LlamaPresets.Find(preset).Config, new StepShape(2, 64, 2)), preset);

    [Theory]
    [InlineData(OptimizerKind.Scale)]
    [InlineData(OptimizerKind.SinkGd)]
    [InlineData(OptimizerKind.Racs)]
    public void Optimizers_almost_without_state_use_exactly_what_was_planned(OptimizerKind kind) => PlanAndRun.RequireEqual(
        Engine.Options(Shrink(LlamaPresets.Find("60m").Config), new StepShape(1, 24, 2)) with
        {
            Optimizer = new OptimizerOptions { Kind = kind },
            Memory = new MemoryOptions { GradientDType = DType.BF16, Weights = new WeightFormats(EmbeddingAndHead: WeightFormat.Int8, ResidualBits: 8) },
        },
        kind.ToString());

    [Theory]
    [MemberData(nameof(Presets))]
    public void A_small_model_of_a_presets_proportions_uses_exactly_what_was_planned(string preset)
    {
        TrainingOptions options = Engine.Options(Shrink(LlamaPresets.Find(preset).Config), new StepShape(1, 24, 1));
        PlanAndRun.RequireEqual(options, preset);
        PlanAndRun.RequireEqual(
            options with
            {
                Shape = new StepShape(1, 24, 3),
                Optimizer = new OptimizerOptions { EmbeddingAndHead = OptimizerKind.AdamW8Bit },
                Memory = new MemoryOptions
                {
                    Boundaries = MemorySpace.PinnedHost,
                    GradientDType = DType.BF16,
                    LogitChunk = 7,
                    VocabularySlice = 100,
                    Weights = new WeightFormats(EmbeddingAndHead: WeightFormat.Int8),
                },
            },
            preset + ", everything conceded");
    }

    public static TheoryData<string> PublishedModels => [.. Published.Names];

    [Theory]
    [MemberData(nameof(PublishedModels))]
    public void A_small_model_of_a_published_kind_uses_exactly_what_was_planned(string name)
    {
        TrainingOptions options = Engine.Options(Shrink(Published.Configuration(name)), new StepShape(1, 24, 2));
        PlanAndRun.RequireEqual(options, name);
    }

    [Theory]
    [MemberData(nameof(PublishedModels))]
    public void Published_models_are_planned_without_their_memory(string name)
    {
        LlamaConfig config = Published.Configuration(name);
        var layout = new TrainingLayout(Engine.Options(config, new StepShape(1, 256, 1)), new CpuProfile(2));
        long matrices = ParameterTable.Of(config).Where(parameter => parameter.IsMatrix).Sum(parameter => parameter.Elements);
        Assert.InRange(layout.Plan.DeviceArenaBytes, matrices, 40L * config.ParameterCount);
    }

    [Fact]
    public void After_start_up_a_step_allocates_nothing_on_the_managed_heap()
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(2, 16, 3)) with
        {
            Memory = new MemoryOptions { Boundaries = MemorySpace.PinnedHost, VocabularySlice = 16 },
        };
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device);
        (int[] tokens, int[] labels) = Engine.RandomBatch(options, seed: 2);
        trainer.Step(tokens, labels);
        trainer.Step(tokens, labels);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int step = 0; step < 5; step++)
        {
            trainer.Step(tokens, labels);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    /// <summary>The same heads and proportions with 8 features per head, two layers and 500 tokens.</summary>
    private static LlamaConfig Shrink(LlamaConfig config) => config with
    {
        HiddenSize = config.HiddenSize * 8 / config.HeadDim,
        IntermediateSize = config.IntermediateSize * 8 / config.HeadDim,
        HeadDim = 8,
        NumHiddenLayers = 2,
        VocabSize = 500,
        BosTokenId = null,
        EosTokenId = null,
    };
}
