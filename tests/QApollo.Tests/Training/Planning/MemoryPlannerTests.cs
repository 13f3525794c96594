using System.Globalization;
using System.Text.RegularExpressions;
using QApollo.Devices;
using QApollo.Models;
using QApollo.Tests.Memory;
using QApollo.Training;
using QApollo.Training.Planning;
using Xunit;

namespace QApollo.Tests.Training.Planning;

/// <summary>The planner gives up no more than the budget asks for, in order, and nothing that the user decided.</summary>
public class MemoryPlannerTests
{
    private static readonly CardProfile Profile = new();

    private static readonly TrainingOptions Wanted = Engine.Options(Engine.TinyModel(layers: 6), new StepShape(8, 64, 1)) with
    {
        Memory = new MemoryOptions { Weights = new WeightFormats(ResidualBits: 4) },
    };

    [Fact]
    public void Without_a_budget_nothing_is_given_up()
    {
        PlannedRun run = Plan(MemoryBudget.None);
        Assert.Equal(Wanted, run.Options);
        Assert.Empty(run.GivenUp);
    }

    [Fact]
    public void Any_budget_between_the_least_and_the_wanted_fits_and_takes_no_more_than_it_says()
    {
        long wanted = Footprint.Of(new TrainingLayout(Wanted, Profile)).DeviceBytes;
        long least = Least();
        Assert.InRange(least, 1, wanted - 1000);
        for (long budget = least; budget <= wanted; budget += (wanted - least) / 7)
        {
            PlannedRun run = Plan(new MemoryBudget(budget, MemoryBudget.Unlimited));
            Assert.InRange(run.Footprint.DeviceBytes, 1, budget);
            Assert.Equal(Wanted.Shape.TokensPerStep, run.Options.Shape.TokensPerStep);
        }
    }

    /// <summary>But what costs next to nothing and frees something, which is worth more to others.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(6)]
    [InlineData(7)]
    public void Nothing_is_given_up_that_could_be_kept(int eighths)
    {
        long wanted = Footprint.Of(new TrainingLayout(Wanted, Profile)).DeviceBytes, least = Least();
        var budget = new MemoryBudget(least + ((wanted - least) * eighths / 8), MemoryBudget.Unlimited);
        PlannedRun run = Plan(budget);
        Assert.NotEmpty(run.GivenUp);
        foreach (Concession concession in run.GivenUp)
        {
            TrainingOptions? without = Wanted;
            foreach (Concession other in run.GivenUp.Where(other => other != concession))
            {
                without = other.Apply(without!, Profile);
            }

            var footprint = Footprint.Of(new TrainingLayout(without!, Profile));
            if (concession.ExtraWork?.Invoke(Wanted) < MemoryPlanner.NegligibleWork)
            {
                Assert.Equal(MemoryChoice.VocabularySlice, concession.Choice);
                Assert.True(footprint.DeviceBytes > run.Footprint.DeviceBytes, $"{concession.Name} frees nothing");
                continue;
            }

            Assert.False(budget.Allows(footprint), concession.Name);
        }
    }

    /// <summary>A product with the head is a two-hundredth of a 7B's step, and a ninth of a 60M's with the same vocabulary.</summary>
    [Theory]
    [InlineData("7b", 0.0050)]
    [InlineData("1b", 0.0130)]
    [InlineData("60m", 0.1090)]
    public void Slices_of_the_vocabulary_cost_one_product_of_the_step(string model, double share)
    {
        TrainingOptions options = Wanted with { Model = LlamaPresets.TryFind(model)!.Config };
        double measured = ConcessionLadder.All.Single(concession => concession.Choice == MemoryChoice.VocabularySlice).ExtraWork!(options);
        Assert.Equal(share, measured, 4);
    }

    [Fact]
    public void Alternatives_are_the_true_differences()
    {
        var planner = new MemoryPlanner(Profile, new MemoryBudget(Least() * 3 / 2, MemoryBudget.Unlimited), new HashSet<MemoryChoice> { MemoryChoice.HeadWeights });
        PlannedRun run = planner.Plan(Wanted, "tiny");
        IReadOnlyList<Alternative> alternatives = planner.Alternatives(Wanted, run);
        Assert.NotEmpty(alternatives);
        foreach (Alternative alternative in alternatives)
        {
            Footprint footprint = Footprint.Of(new TrainingLayout(alternative.Options, Profile));
            Assert.Equal(footprint.DeviceBytes - run.Footprint.DeviceBytes, alternative.DeviceBytes);
            Assert.Equal(footprint.HostBytes - run.Footprint.HostBytes, alternative.HostBytes);
            Assert.Equal(alternative.Concession.Choice == MemoryChoice.HeadWeights, alternative.IsPinned);
            Assert.Equal(run.GivenUp.Contains(alternative.Concession), alternative.IsTakenBack);
        }
    }

    [Theory]
    [InlineData(MemoryChoice.MicroBatch)]
    [InlineData(MemoryChoice.Expansions)]
    [InlineData(MemoryChoice.Boundaries)]
    [InlineData(MemoryChoice.LogitChunk)]
    [InlineData(MemoryChoice.VocabularySlice)]
    [InlineData(MemoryChoice.GradientDType)]
    [InlineData(MemoryChoice.HeadOptimizer)]
    [InlineData(MemoryChoice.HeadWeights)]
    [InlineData(MemoryChoice.ResidualLayers)]
    public void Pinned_choices_are_never_touched(MemoryChoice pinned)
    {
        long least = Least(pinned);
        PlannedRun run = Plan(new MemoryBudget(least, MemoryBudget.Unlimited), pinned);
        Assert.DoesNotContain(run.GivenUp, concession => concession.Choice == pinned);
        Assert.NotEmpty(run.GivenUp);
        Assert.Equal(Pinned(Wanted, pinned), Pinned(run.Options, pinned));
    }

    [Fact]
    public void When_nothing_fits_the_message_has_the_smallest_budget_and_its_options()
    {
        var budget = new MemoryBudget(1 << 20, MemoryBudget.Unlimited);
        TrainingOptions larger = Wanted with { Model = Wanted.Model with { VocabSize = 16_000 } };
        var exception = Assert.Throws<RunFailedException>(() => new MemoryPlanner(Profile, budget, new HashSet<MemoryChoice>()).Plan(larger, "tiny"));
        Assert.Contains("tiny does not fit --budget 1.00 MiB", exception.Message, StringComparison.Ordinal);
        Assert.Contains("--boundaries host", exception.Message, StringComparison.Ordinal);
        Assert.Contains("--head-weights int8", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);

        long smallest = SmallestIn(exception.Message);
        PlannedRun run = new MemoryPlanner(Profile, budget with { DeviceBytes = smallest }, new HashSet<MemoryChoice>()).Plan(larger, "tiny");
        Assert.InRange(run.Footprint.DeviceBytes, smallest - (1 << 20), smallest);
    }

    /// <summary>What would do on the device needs more of the host than there is: both are said, and both do.</summary>
    [Fact]
    public void When_neither_memory_suffices_the_message_has_both_budgets()
    {
        TrainingOptions larger = Wanted with { Model = Wanted.Model with { VocabSize = 16_000 } };
        var exception = Assert.Throws<RunFailedException>(() => new MemoryPlanner(Profile, new MemoryBudget(1 << 20, 1 << 20), new HashSet<MemoryChoice>()).Plan(larger, "tiny"));
        Match sizes = Regex.Match(exception.Message, @"tiny does not fit --budget 1\.00 MiB and --host-budget 1\.00 MiB: the smallest that would do is (\d+)MiB and --host-budget (\d+)MiB, with ");
        Assert.True(sizes.Success, exception.Message);
        var both = new MemoryBudget(long.Parse(sizes.Groups[1].Value, CultureInfo.InvariantCulture) << 20, long.Parse(sizes.Groups[2].Value, CultureInfo.InvariantCulture) << 20);
        Assert.True(both.Allows(new MemoryPlanner(Profile, both, new HashSet<MemoryChoice>()).Plan(larger, "tiny").Footprint));
    }

    [Fact]
    public void When_choices_by_hand_are_in_the_way_the_message_says_what_would_do_without_them()
    {
        TrainingOptions larger = Wanted with { Model = Wanted.Model with { VocabSize = 16_000 } };
        var planner = new MemoryPlanner(Profile, new MemoryBudget(1 << 20, MemoryBudget.Unlimited), new HashSet<MemoryChoice> { MemoryChoice.HeadOptimizer });
        var exception = Assert.Throws<RunFailedException>(() => planner.Plan(larger, "tiny"));
        Assert.Contains("with no choice made by hand", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Host_memory_is_bounded_too()
    {
        long onlyInputs = Footprint.Of(new TrainingLayout(Wanted, Profile)).HostBytes;
        PlannedRun run = Plan(new MemoryBudget(Least(MemoryChoice.Boundaries, MemoryChoice.Layers), onlyInputs));
        Assert.Equal(MemorySpace.Device, run.Options.Memory.Boundaries);
        var exception = Assert.Throws<RunFailedException>(() => Plan(new MemoryBudget(MemoryBudget.Unlimited, onlyInputs / 2)));
        Assert.Contains("does not fit --host-budget", exception.Message, StringComparison.Ordinal);
    }

    /// <summary>Layer by layer, and as many layers keep them as fit to the byte.</summary>
    [Fact]
    public void Residual_bits_fill_what_the_budget_leaves()
    {
        MemoryChoice[] others = [.. Enum.GetValues<MemoryChoice>().Where(choice => choice != MemoryChoice.ResidualLayers)];
        for (int layers = 0; layers <= 6; layers++)
        {
            WeightFormats formats = Wanted.Memory.Weights with { ResidualLayers = layers };
            long enough = Footprint.Of(new TrainingLayout(Wanted with { Memory = Wanted.Memory with { Weights = formats } }, Profile)).DeviceBytes;
            foreach ((long budget, int expected) in ((long, int)[])[(enough, layers), (enough - 1, layers - 1)])
            {
                if (expected >= 0)
                {
                    PlannedRun run = Plan(new MemoryBudget(budget, MemoryBudget.Unlimited), others);
                    bool[] have = [.. run.Layout.Weights.Layers.Select(layer => layer.Matrices.All(weight => weight.Residuals is not null))];
                    Assert.Equal([.. Enumerable.Range(0, 6).Select(layer => layer < expected)], have);
                }
            }
        }
    }

    /// <summary>They go before what rounds gradients and head, after what only moves work.</summary>
    [Fact]
    public void Residual_bits_are_the_first_quality_to_go()
    {
        MemoryChoice[] order = [.. ConcessionLadder.All.Select(concession => concession.Choice)];
        int residuals = Array.IndexOf(order, MemoryChoice.ResidualLayers);
        Assert.Equal([MemoryChoice.GradientDType, MemoryChoice.HeadWeights, MemoryChoice.Layers], order[(residuals + 1)..]);
        Assert.Equal(MemoryChoice.HeadOptimizer, order[residuals - 1]);
    }

    [Fact]
    public void Layers_move_to_host_memory_last_and_only_from_a_memory_of_another_kind()
    {
        TrainingOptions large = Wanted with { Model = Engine.TinyModel(layers: 16) };
        var host = new HashSet<MemoryChoice> { MemoryChoice.Layers };
        long resident = new MemoryPlanner(Profile, MemoryBudget.None, host).Smallest(large).Footprint.DeviceBytes;
        PlannedRun fits = new MemoryPlanner(Profile, new MemoryBudget(resident, MemoryBudget.Unlimited), new HashSet<MemoryChoice>()).Plan(large, "tiny");
        Assert.Equal(LayerPlacement.OnDevice, fits.Options.Memory.Layers);

        var planner = new MemoryPlanner(Profile, new MemoryBudget(resident - 1, MemoryBudget.Unlimited), new HashSet<MemoryChoice>());
        Assert.Equal(new LayerPlacement(MemorySpace.PinnedHost, LayerPlacement.FewestSlots), planner.Plan(large, "tiny").Options.Memory.Layers);

        Concession layers = ConcessionLadder.All[^1];
        Assert.Equal(MemoryChoice.Layers, layers.Choice);
        Assert.Null(layers.Apply(large, new QApollo.Cpu.CpuProfile(threads: 2)));
    }

    /// <summary>They would fit host memory alone, and come before the layers, which fit it alone too; only the layers' moving is enough.</summary>
    [Fact]
    public void Layer_inputs_do_not_keep_the_layers_from_host_memory()
    {
        TrainingOptions large = Wanted with { Model = Engine.TinyModel(layers: 16), Shape = new StepShape(1, 16, 2) };
        Footprint layersOnly = new MemoryPlanner(Profile, MemoryBudget.None, new HashSet<MemoryChoice> { MemoryChoice.Boundaries }).Smallest(large).Footprint;
        Footprint inputsOnly = new MemoryPlanner(Profile, MemoryBudget.None, new HashSet<MemoryChoice> { MemoryChoice.Layers }).Smallest(large).Footprint;
        Assert.InRange(inputsOnly.HostBytes, 0, layersOnly.HostBytes);
        Assert.InRange(layersOnly.DeviceBytes, 0, inputsOnly.DeviceBytes - 1);

        var enough = new MemoryBudget(layersOnly.DeviceBytes, layersOnly.HostBytes);
        PlannedRun run = new MemoryPlanner(Profile, enough, new HashSet<MemoryChoice>()).Plan(large, "tiny");
        Assert.Equal((MemorySpace.Device, MemorySpace.PinnedHost), (run.Options.Memory.Boundaries, run.Options.Memory.Layers.Space));

        var planner = new MemoryPlanner(Profile, enough with { DeviceBytes = 0 }, new HashSet<MemoryChoice>());
        Assert.Equal(layersOnly, planner.Smallest(large).Footprint);
    }

    [Fact]
    public void Micro_batches_of_an_odd_size_are_divided_evenly()
    {
        Concession split = ConcessionLadder.All.Single(concession => concession.Choice == MemoryChoice.MicroBatch);
        TrainingOptions odd = Wanted with { Shape = new StepShape(15, 8, 2) };
        TrainingOptions once = split.Apply(odd, Profile)!;
        Assert.Equal(new StepShape(5, 8, 6), once.Shape);
        Assert.Equal(new StepShape(1, 8, 30), split.Apply(once, Profile)!.Shape);
        Assert.Null(split.Apply(odd with { Shape = new StepShape(1, 8, 30) }, Profile));
    }

    [Theory]
    [InlineData(1 << 30, 8)]
    [InlineData(32, int.MaxValue - 1)]
    public void Sizes_beyond_counting_are_one_clear_line(int hidden, int headDim)
    {
        LlamaConfig model = Engine.TinyModel() with { HiddenSize = hidden, HeadDim = headDim, NumAttentionHeads = 1, NumKeyValueHeads = 1 };
        model.Validate("config.json");
        var exception = Assert.Throws<UsageException>(() => new MemoryPlanner(Profile, MemoryBudget.None, new HashSet<MemoryChoice>())
            .Plan(Wanted with { Model = model }, "huge"));
        Assert.DoesNotContain('\n', exception.Message);
    }

    [Theory]
    [InlineData(1 << 20, 1 << 20, 1, "at most 16777216 tokens")]
    [InlineData(int.MaxValue, int.MaxValue, 1024, "at most 16777216 tokens")]
    [InlineData(1, 8, 1025, "--grad-accum at most 1024")]
    [InlineData(0, 8, 1, "at least 1")]
    public void Steps_beyond_reason_are_one_clear_line(int batch, int length, int accumulate, string message)
    {
        TrainingOptions options = Wanted with { Shape = new StepShape(batch, length, accumulate) };
        var exception = Assert.Throws<UsageException>(() => new MemoryPlanner(Profile, MemoryBudget.None, new HashSet<MemoryChoice>()).Plan(options, "tiny"));
        Assert.Contains(message, exception.Message, StringComparison.Ordinal);
    }

    /// <summary>What the options themselves say for a choice.</summary>
    private static object Pinned(TrainingOptions options, MemoryChoice choice) => choice switch
    {
        MemoryChoice.MicroBatch => options.Shape,
        MemoryChoice.Expansions => options.Memory.ExpandWeights,
        MemoryChoice.Boundaries => options.Memory.Boundaries,
        MemoryChoice.LogitChunk => options.Memory.LogitChunk,
        MemoryChoice.VocabularySlice => options.Memory.VocabularySlice,
        MemoryChoice.GradientDType => options.Memory.GradientDType,
        MemoryChoice.HeadOptimizer => options.Optimizer.EmbeddingAndHeadKind,
        MemoryChoice.ResidualLayers => (options.Memory.Weights.ResidualBits, options.Memory.Weights.ResidualLayers),
        MemoryChoice.Layers => options.Memory.Layers,
        _ => options.Memory.Weights.EmbeddingAndHead,
    };

    private static PlannedRun Plan(MemoryBudget budget, params MemoryChoice[] pinned) =>
        new MemoryPlanner(Profile, budget, pinned.ToHashSet()).Plan(Wanted, "tiny");

    private static long Least(params MemoryChoice[] pinned) =>
        new MemoryPlanner(Profile, MemoryBudget.None, pinned.ToHashSet()).Smallest(Wanted).Footprint.DeviceBytes;

    private static long SmallestIn(string message) =>
        long.Parse(Regex.Match(message, "would do is ([0-9]+)MiB").Groups[1].ValueSpan, CultureInfo.InvariantCulture) << 20;
}
