using QApollo.Memory;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Reports;
using QApollo.Training;
using Xunit;

namespace QApollo.Cuda.Tests.Reports;

public class StepPredictionTests
{
    private static readonly Card Card = Cards.TryFind("rtx-3060")!;

    /// <summary>28 multiprocessors at 1.777 GHz: each clock 512 FLOP, 4 instructions, 1 wavefront, 2 sectors; 360 GB/s.</summary>
    [Theory]
    [InlineData("linear forward", "int8")]
    [InlineData("attention backward", "D 128")]
    [InlineData("apply update", "f32 int8")]
    public void The_slowest_part_of_the_card_sets_an_operations_time(string operation, string form)
    {
        OperationCost cost = OperationCosts.Find(operation, form)!;
        bool isCompute = cost.TensorFlops > 0;
        var work = new OperationWork(operation, form, "", isCompute ? WorkKind.Product : WorkKind.Update, isCompute ? 1e12 : 0, 1e9);
        double units = isCompute ? 1e12 : 1e9;
        double clocks = 28 * 1.777e9;
        double[] times =
        [
            units * cost.TensorFlops / (512 * clocks), units * cost.Instructions / (4 * clocks), units * cost.Wavefronts / clocks,
            units * cost.Sectors / (2 * clocks), 1e9 / 360e9,
        ];
        (double seconds, Bottleneck bottleneck) = StepPrediction.Predict(work, Card);
        Assert.Equal(times.Max(), seconds, times.Max() * 1e-12);
        Assert.Equal(Array.IndexOf(times, times.Max()), (int)bottleneck);
    }

    [Fact]
    public void What_was_never_counted_moves_its_bytes()
    {
        var work = new OperationWork("unheard of", "", "", WorkKind.Pass, 0, 360e9);
        (double seconds, Bottleneck bottleneck) = StepPrediction.Predict(work, Card);
        Assert.Equal(1, seconds, 1e-12);
        Assert.Equal(Bottleneck.Memory, bottleneck);
    }

    [Fact]
    public void No_prediction_is_faster_than_the_speed_of_light()
    {
        foreach (StepShape shape in (StepShape[])[new(1, 256, 1), new(2, 512, 3)])
        {
            TrainingLayout layout = Layout("demo", shape);
            foreach (SpeedBound bound in SpeedOfLight.Bounds(layout))
            {
                Assert.InRange(bound.Prediction!.TokensPerSecond, 0, bound.TokensPerSecond);
                Assert.Equal(1, bound.Prediction.Shares.Sum(share => share.Share), 1e-9);
            }
        }
    }

    /// <summary>A step with twice as many micro-batches does twice the products, and updates once.</summary>
    [Fact]
    public void A_steps_work_is_what_its_rehearsal_does()
    {
        IReadOnlyDictionary<OperationWork, int> one = StepWork.Of(Layout("demo", new StepShape(1, 64, 1)));
        IReadOnlyDictionary<OperationWork, int> two = StepWork.Of(Layout("demo", new StepShape(1, 64, 2)));
        Assert.Equal(2 * Count(one, "linear forward"), Count(two, "linear forward"));
        Assert.Equal(2 * Count(one, "attention backward"), Count(two, "attention backward"));
        Assert.Equal(Count(one, "apply update"), Count(two, "apply update"));
        Assert.True(Count(one, "apply update") > 0);

        static int Count(IReadOnlyDictionary<OperationWork, int> work, string operation) =>
            work.Where(pair => pair.Key.Operation == operation).Sum(pair => pair.Value);
    }

    public static TheoryData<string, OptimizerKind> Models => new()
    {
        { "7b", OptimizerKind.ApolloMini },
        { "7b", OptimizerKind.AdamW8Bit },
        { "7b", OptimizerKind.Scale },
        { "7b", OptimizerKind.SinkGd },
        { "7b", OptimizerKind.Racs },
        { "biases and head norms", OptimizerKind.ApolloMini },
    };

    /// <summary>Every operation of a step that takes part of its time has its own row in the table, or moves few bytes.</summary>
    [Theory]
    [MemberData(nameof(Models))]
    public void The_steps_operations_were_counted(string model, OptimizerKind optimizer)
    {
        LlamaConfig config = LlamaPresets.Find("7b").Config;
        config = model == "7b" ? config : config with { Architecture = ModelArchitecture.Qwen3, QueryKeyNorm = true, QueryKeyValueBias = true, OutputBias = true };
        StepPrediction prediction = StepPrediction.Of(Layout(config, new StepShape(1, 1024, 1), optimizer), Card);
        double total = prediction.Operations.Sum(operation => operation.Seconds);
        double counted = prediction.Operations
            .Where(operation => OperationCosts.All.Any(cost => cost.Operation == operation.Work.Operation && cost.Form == operation.Work.Form))
            .Sum(operation => operation.Seconds);
        Assert.True(counted > 0.98 * total, string.Join('\n', prediction.Operations.Where(o => OperationCosts.Find(o.Work.Operation, o.Work.Form) is null).Select(o => o.Work)));
    }

    internal static TrainingLayout Layout(string preset, StepShape shape) => Layout(LlamaPresets.Find(preset).Config, shape, OptimizerKind.ApolloMini);

    private static TrainingLayout Layout(LlamaConfig config, StepShape shape, OptimizerKind optimizer) => new(
        new TrainingOptions
        {
            Model = config,
            Shape = shape,
            Schedule = new LearningRateSchedule(ScheduleKind.Constant, 0.01, 100),
            Optimizer = new OptimizerOptions { Kind = optimizer },
        },
        new CudaProfile());
}
