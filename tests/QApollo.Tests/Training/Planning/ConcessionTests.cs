using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Models;
using QApollo.Tests.Memory;
using QApollo.TestSupport;
using QApollo.Training;
using QApollo.Training.Planning;
using Xunit;

namespace QApollo.Tests.Training.Planning;

/// <summary>Every concession is real: the step runs with it, and trains like the plain setting.</summary>
public class ConcessionTests
{
    private static readonly TrainingOptions Plain = Engine.Options(Engine.TinyModel(), new StepShape(4, 32, 1)) with
    {
        Memory = new MemoryOptions { Weights = new WeightFormats(WeightFormat.Int8, WeightFormat.BF16, 32, ResidualBits: 4) },
    };

    public static TheoryData<MemoryChoice, double> Tolerances => new()
    {
        { MemoryChoice.Expansions, 0 },
        { MemoryChoice.VocabularySlice, 1e-6 },
        { MemoryChoice.LogitChunk, 1e-5 },
        { MemoryChoice.Boundaries, 0 },
        { MemoryChoice.MicroBatch, 1e-5 },
        { MemoryChoice.GradientDType, 0.02 },
        { MemoryChoice.Layers, 0 },
    };

    /// <summary>The first step's gradients, relative to the largest of their matrix.</summary>
    [Theory]
    [MemberData(nameof(Tolerances))]
    public void Moved_or_repeated_work_gives_the_same_gradients(MemoryChoice choice, double tolerance)
    {
        (TrainingStepTests.Run expected, TrainingStepTests.Run actual) = TrainBoth(choice, steps: 1);
        foreach ((string name, float[] gradient) in expected.Gradients)
        {
            Compare.AllClose(actual.Gradients[name], gradient, tolerance * gradient.Max(MathF.Abs), 0, name);
        }
    }

    [Theory]
    [InlineData(MemoryChoice.HeadOptimizer)]
    [InlineData(MemoryChoice.GradientDType)]
    [InlineData(MemoryChoice.HeadWeights)]
    [InlineData(MemoryChoice.ResidualLayers)]
    public void Coarser_numbers_learn_as_much(MemoryChoice choice)
    {
        (TrainingStepTests.Run expected, TrainingStepTests.Run actual) = TrainBoth(choice, steps: 30);
        double start = Math.Log(Plain.Model.VocabSize);
        Assert.True(expected.Result.Loss < 0.8 * start, $"the plain setting reached only {expected.Result.Loss}");
        Assert.InRange(actual.Result.Loss, expected.Result.Loss - (0.1 * start), expected.Result.Loss + (0.1 * start));
    }

    [Fact]
    public void Every_concession_frees_memory_of_some_step()
    {
        TrainingOptions large = Engine.Options(Engine.TinyModel(layers: 8) with { VocabSize = 4000 }, new StepShape(8, 64, 4)) with
        {
            Memory = new MemoryOptions { Weights = new WeightFormats(ResidualBits: 4) },
        };
        var profile = new CardProfile();
        Assert.Equal(Enum.GetValues<MemoryChoice>().Order(), ConcessionLadder.All.Select(concession => concession.Choice).Order());

        // Where layer inputs are on the device, the gradients that wait take the place of those that are needed no more.
        TrainingOptions afterBoundaries = large with
        {
            Ranks = 2,
            Model = large.Model with { VocabSize = 67 },
            Memory = large.Memory with { Boundaries = MemorySpace.PinnedHost },
        };

        // What is the largest decides what helps: so each is judged with all that come before it, and where layers are.
        var frees = new HashSet<MemoryChoice>();
        foreach (TrainingOptions start in (TrainingOptions[])[large, large with { Model = large.Model with { VocabSize = 67 } }, afterBoundaries])
        {
            TrainingOptions current = start;
            for (int round = 0; round < 3; round++)
            {
                foreach (Concession concession in ConcessionLadder.All)
                {
                    if (concession.Apply(current, profile) is { } next)
                    {
                        long before = Footprint.Of(new TrainingLayout(current, profile)).DeviceBytes;
                        long after = Footprint.Of(new TrainingLayout(next, profile)).DeviceBytes;
                        if (after < before)
                        {
                            frees.Add(concession.Choice);
                        }

                        current = next;
                    }
                }
            }
        }

        Assert.Equal(Enum.GetValues<MemoryChoice>().Order(), frees.Order());
    }

    private static (TrainingStepTests.Run Plain, TrainingStepTests.Run Conceded) TrainBoth(MemoryChoice choice, int steps)
    {
        using CpuDevice device = Engine.Cpu();
        Concession concession = ConcessionLadder.All.Single(candidate => candidate.Choice == choice);
        TrainingOptions conceded = concession.Apply(Plain, new CardProfile())!;
        Assert.NotEqual(Plain, conceded);
        (int[] tokens, int[] labels) = Engine.RandomBatch(Plain, seed: 11);
        return (TrainingStepTests.Train(Plain, tokens, labels, steps), TrainingStepTests.Train(conceded, tokens, labels, steps));
    }
}
