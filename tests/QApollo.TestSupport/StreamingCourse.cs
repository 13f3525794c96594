using System.Runtime.InteropServices;
using QApollo.Batches;
using QApollo.Checkpoints;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Runs;
using QApollo.Training;

namespace QApollo.TestSupport;

/// <summary>
/// All that a run does with its layers, wherever they wait: updates, evaluation, sampling, saving and resuming must leave
/// the bytes of layers that stay on the device.
/// </summary>
/// <param name="Layers">More than slots, so that layers take turns in them.</param>
public sealed record StreamingCourse(int GradAccum, LayerPlacement Placement, MemorySpace Boundaries, int ResidualBits = 0, int Layers = 5, bool IsDense = false, BoundaryFormat Format = BoundaryFormat.Activations)
{
    public static IReadOnlyList<StreamingCourse> All { get; } =
    [
        new(1, new LayerPlacement(MemorySpace.PinnedHost, 2), MemorySpace.Device),
        new(3, new LayerPlacement(MemorySpace.PinnedHost, 2), MemorySpace.PinnedHost, ResidualBits: 4),
        new(2, new LayerPlacement(MemorySpace.PinnedHost, 3), MemorySpace.PinnedHost),
        new(9, new LayerPlacement(MemorySpace.PinnedHost, 4), MemorySpace.Device, ResidualBits: 8),
        new(2, new LayerPlacement(MemorySpace.PinnedHost, 4), MemorySpace.Device, Layers: 1),
        new(2, new LayerPlacement(MemorySpace.PinnedHost, 2), MemorySpace.PinnedHost, IsDense: true),
        new(1, new LayerPlacement(MemorySpace.Disk, 2), MemorySpace.PinnedHost, ResidualBits: 4),
        new(5, new LayerPlacement(MemorySpace.Disk, 3), MemorySpace.Device, ResidualBits: 8),
        new(2, new LayerPlacement(MemorySpace.Disk, 2), MemorySpace.PinnedHost, Layers: 1, IsDense: true),
        new(3, new LayerPlacement(MemorySpace.PinnedHost, 2), MemorySpace.PinnedHost, Format: BoundaryFormat.Int8),
        new(2, new LayerPlacement(MemorySpace.Disk, 2), MemorySpace.Device, Format: BoundaryFormat.Int8),
    ];

    public string Name =>
        $"{Layers}{(IsDense ? " dense" : "")} layers in {Placement.Space} through {Placement.Slots} slots, {Boundaries} boundaries, x{GradAccum}, residual {ResidualBits}{(Format == BoundaryFormat.Activations ? "" : $", {Format}")}";

    /// <summary>With layers that stay on the device.</summary>
    public TrainingOptions Plain
    {
        get
        {
            TrainingOptions options = new ParityCourse(Optimizers.OptimizerKind.ApolloMini, GradAccum, Boundaries, DType.F32, ResidualBits: ResidualBits).Options;
            WeightFormats formats = options.Memory.Weights with { ResidualLayers = Math.Max(1, Layers - 2), Matrices = IsDense ? WeightFormat.BF16 : WeightFormat.Int8 };
            return options with
            {
                Model = options.Model with { NumHiddenLayers = Layers, IntermediateSize = 92 },
                Shape = new StepShape(1, 12, GradAccum),
                Memory = options.Memory with { Weights = formats, BoundaryFormat = Format },
                SampleTokens = 8,
            };
        }
    }

    public TrainingOptions Streamed => Plain with { Memory = Plain.Memory with { Layers = Placement } };

    /// <param name="open">Opens a device; called for each of the runs.</param>
    public void AssertEqualsPlain(Func<IDevice> open)
    {
        byte[] expected = Run(Plain, open);
        byte[] actual = Run(Streamed, open);
        Compare.BitEqual<byte>(actual, expected, Name);
    }

    private static byte[] Run(TrainingOptions options, Func<IDevice> open)
    {
        var seen = new List<byte>();
        using var folder = new TempFolder();
        string checkpoint;
        using (IDevice device = open())
        {
            using var trainer = new Trainer(options, device);
            seen.AddRange(State(trainer));
            Step(trainer, seed: 0, seen);
            Look(trainer, seen);
            Step(trainer, seed: 1, seen);
            checkpoint = Checkpoint.Save(trainer, new RunState(2, 1, new DataPosition(0, 0), options.Seed, "tokenizer"), folder.Path);
            seen.AddRange(File.ReadAllBytes(Path.Combine(checkpoint, CheckpointFolder.ModelFile)));
            Step(trainer, seed: 2, seen);
        }

        using (IDevice device = open())
        {
            using var trainer = new Trainer(options, device);
            Checkpoint.Load(trainer, checkpoint);
            Step(trainer, seed: 2, seen);
            Look(trainer, seen);
            seen.AddRange(State(trainer));
        }

        return [.. seen];
    }

    private static void Step(Trainer trainer, int seed, List<byte> seen)
    {
        (int[] tokens, int[] labels) = ParityCourse.Batch(trainer.Layout.Options, seed);
        StepResult result = trainer.Step(tokens, labels);
        Add(seen, [result.Loss, result.GradientNorm, result.ChangedShare]);
    }

    /// <summary>What does not change the weights: evaluation, a sample, and reading weights back.</summary>
    private static void Look(Trainer trainer, List<byte> seen)
    {
        TrainingOptions options = trainer.Layout.Options;
        (int[] tokens, int[] labels) = ParityCourse.Batch(options, seed: 5);
        int count = options.Shape.TokensPerMicroBatch;
        Add(seen, [trainer.Evaluate(tokens.AsSpan(0, count), labels.AsSpan(0, count)).LossSum]);
        trainer.Layout.Sampling!.Reset();
        seen.AddRange(MemoryMarshal.AsBytes(trainer.Layout.Sampling.Append(trainer.Device, tokens.AsSpan(0, 5))));
        foreach (Weight weight in trainer.Layout.Weights.All)
        {
            trainer.Layout.WeightStaging.ReadFine(trainer.Device, weight, (_, rows) => seen.AddRange(rows));
        }
    }

    private static void Add(List<byte> seen, ReadOnlySpan<double> values) => seen.AddRange(MemoryMarshal.AsBytes(values));

    private static IEnumerable<byte> State(Trainer trainer) =>
        trainer.Layout.Weights.All.SelectMany(weight => new[] { weight.Values, weight.Scales, weight.ZeroPoints, weight.Residuals })
            .Concat(trainer.Layout.Optimizers.SelectMany(optimizer => optimizer.State))
            .OfType<PlannedTensor>()
            .SelectMany(tensor =>
            {
                var bytes = new byte[tensor.Bytes];
                trainer.Layout.Weights.Store.Download(trainer.Device, tensor, bytes);
                return bytes;
            });
}
