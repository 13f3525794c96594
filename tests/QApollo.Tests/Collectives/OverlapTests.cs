using QApollo.Collectives;
using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Runs;
using QApollo.Tests.Training;
using QApollo.TestSupport;
using QApollo.TestSupport.Collectives;
using QApollo.Training;
using QApollo.Training.Planning;
using Xunit;

namespace QApollo.Tests.Collectives;

/// <summary>Gradients are summed beside the computation, as far as the options say, and nothing but the time changes.</summary>
public class OverlapTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static TheoryData<int, bool, int, MemorySpace> Shapes => new()
    {
        { 1, false, 0, MemorySpace.Device },
        { 3, false, 32, MemorySpace.Device },
        { 2, true, 0, MemorySpace.Device },
        { 2, false, 0, MemorySpace.PinnedHost },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void However_far_it_goes_the_bytes_are_the_same(int gradAccum, bool tied, int vocabularySlice, MemorySpace layers)
    {
        byte[][] Train(GradientOverlap overlap) => ThreadRanks.Run(2, ranks =>
        {
            TrainingOptions options = Options(overlap, gradAccum, tied, layers: 3) with
            {
                Memory = new MemoryOptions { Overlap = overlap, VocabularySlice = vocabularySlice, Layers = new LayerPlacement(layers) },
            };
            using var device = new CpuDevice(threads: 1);
            using var trainer = new Trainer(options, device, ranks: ranks);
            for (int step = 0; step < 4; step++)
            {
                (int[] tokens, int[] labels) = Engine.RandomBatch(options, (2 * step) + ranks.Rank);
                trainer.Step(tokens, labels);
            }

            return (byte[])[.. Checkpoint.StateTensors(trainer.Layout).SelectMany(tensor => Engine.Bytes(device, tensor))];
        });
        byte[][] off = Train(GradientOverlap.Off);
        Assert.Equal(off[0], off[1]);
        Assert.All((byte[][])[.. Train(GradientOverlap.Matrix), .. Train(GradientOverlap.Layer)], bytes => Assert.Equal(off[0], bytes));
    }

    /// <summary>
    /// The exchange of the last layer's first gradient is held up until a later weight's gradient has begun: where the computation did not
    /// go on, they would wait for each other.
    /// </summary>
    [Theory]
    [InlineData(GradientOverlap.Off, 0)]
    [InlineData(GradientOverlap.Matrix, 1)]
    [InlineData(GradientOverlap.Layer, 7)]
    public void The_computation_goes_on_so_far(GradientOverlap overlap, int further)
    {
        int[] seen = ThreadRanks.Run(2, ranks =>
        {
            TrainingOptions options = Options(overlap, gradAccum: 1, tied: false, layers: 2) with { Ranks = 2 };
            var products = new OperationCount("linear weight gradient");
            using var device = new TracingDevice(new CpuProfile(threads: 1), products, new CpuDevice(threads: 1));
            var layout = new TrainingLayout(options, device.Profile);
            layout.Trace(products);
            int first = products.Count - 14 + 1;
            products.Count = 0;
            int exchanges = 0;
            int reached = 0;
            var held = new ObservedRanks(ranks);
            held.BeforeExchange = () =>
            {
                // Head, final norm, and this.
                if (++exchanges == 3)
                {
                    SpinWait.SpinUntil(() => products.Count >= first + further, Patience);
                    reached = products.Count - first;
                }
            };
            using var trainer = new Trainer(layout, device, ranks: held);
            (int[] tokens, int[] labels) = Engine.RandomBatch(options, ranks.Rank);
            trainer.Step(tokens, labels);
            return reached;
        });
        Assert.All(seen, count => Assert.True(overlap == GradientOverlap.Off ? count == 0 : count >= further, $"{count} gradients further, not {further}"));
    }

    /// <summary>One layer's gradients more, one matrix's, or none; and the planner gives them up before anything else.</summary>
    [Fact]
    public void Its_memory_is_planned_and_the_first_to_go()
    {
        TrainingOptions Of(GradientOverlap overlap, int accum) => Options(overlap, accum, tied: false, layers: 4) with { Ranks = 2 };
        long Bytes(GradientOverlap overlap, int accum) => MostOfLayers(new TrainingLayout(Of(overlap, accum), new CpuProfile(1)).Plan);
        LlamaConfig model = Engine.TinyModel();
        long layer = ParameterTable.Of(model).Where(parameter => parameter.Layer == 0).Sum(parameter => parameter.Elements * sizeof(float));
        Assert.True(Bytes(GradientOverlap.Matrix, 1) > Bytes(GradientOverlap.Off, 1));
        Assert.True(Bytes(GradientOverlap.Layer, 1) > Bytes(GradientOverlap.Matrix, 1));
        Assert.Equal(layer, Bytes(GradientOverlap.Off, 2));
        Assert.Equal(2 * layer, Bytes(GradientOverlap.Layer, 2));

        var planner = new MemoryPlanner(new CpuProfile(1), MemoryBudget.None with { DeviceBytes = Footprint.Of(new TrainingLayout(Of(GradientOverlap.Matrix, 2), new CpuProfile(1))).DeviceBytes }, new HashSet<MemoryChoice>());
        PlannedRun run = planner.Plan(Of(GradientOverlap.Layer, 2), "tiny");
        Assert.Equal(MemoryChoice.Overlap, Assert.Single(run.GivenUp).Choice);
        Assert.Equal(GradientOverlap.Matrix, run.Options.Memory.Overlap);
    }

    /// <summary>Bytes of the layers' gradients that live at once.</summary>
    private static long MostOfLayers(MemoryPlan plan)
    {
        PlannedTensor[] gradients = [.. plan.Table.Tensors.Where(tensor => tensor.Category == TensorCategory.Gradients
            && !(tensor.Name is "gradient.Head" or "gradient.Embedding" or "gradient.FinalNorm"))];
        return Enumerable.Range(0, plan.Operations.Count).Max(operation => gradients.Where(tensor => tensor.LivesAt(operation)).Sum(tensor => tensor.Bytes));
    }

    private static TrainingOptions Options(GradientOverlap overlap, int gradAccum, bool tied, int layers) =>
        Engine.Options(Engine.TinyModel(tied, layers), new StepShape(1, 12, gradAccum)) with { Memory = new MemoryOptions { Overlap = overlap } };
}
