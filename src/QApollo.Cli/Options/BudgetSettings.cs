using QApollo.Devices;
using QApollo.Memory;
using QApollo.Training;
using QApollo.Training.Planning;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>--budget, --host-budget, and the choices that other options have already made.</summary>
internal static class BudgetSettings
{
    private static readonly (MemoryChoice Choice, OptionSpec Option)[] Pins =
    [
        (MemoryChoice.MicroBatch, T.BatchSize),
        (MemoryChoice.MicroBatch, T.GradAccum),
        (MemoryChoice.Expansions, T.ExpandWeights),
        (MemoryChoice.Boundaries, T.Boundaries),
        (MemoryChoice.LogitChunk, T.LogitChunk),
        (MemoryChoice.VocabularySlice, T.VocabularySlice),
        (MemoryChoice.GradientDType, T.GradDType),
        (MemoryChoice.HeadOptimizer, T.HeadOptimizer),
        (MemoryChoice.HeadWeights, T.HeadWeights),
        (MemoryChoice.ResidualLayers, T.ResidualLayers),
        (MemoryChoice.Layers, T.LayersIn),
        (MemoryChoice.Layers, T.LayerSlots),
        (MemoryChoice.Overlap, T.Overlap),
    ];

    /// <summary>Whether a budget was given.</summary>
    public static bool IsGiven(OptionValues values) => values.IsGiven(T.Budget) || values.IsGiven(T.HostBudget);

    /// <exception cref="UsageException">A budget is no size, absurd, or an unknown card.</exception>
    public static MemoryBudget Read(OptionValues values, DeviceChoice device)
    {
        long Bytes(OptionSpec<string> option, Func<long> free) =>
            values.GetText(option) is { } text ? BudgetText.Parse(text, option.Name, free) : MemoryBudget.Unlimited;
        return new MemoryBudget(Bytes(T.Budget, device.FreeBytes), Bytes(T.HostBudget, DeviceChoice.FreeHostBytes));
    }

    public static MemoryPlanner Planner(OptionValues values, DeviceProfile profile, MemoryBudget budget) => new(
        profile, budget, Pins.Where(pin => IsPinned(values, pin.Option)).Select(pin => pin.Choice).ToHashSet());

    /// <summary>A run.json notes what was chosen, by hand or not: a resumed run may give up more, but not what its checkpoint is bound to.</summary>
    private static bool IsPinned(OptionValues values, OptionSpec option) =>
        values.Get(T.Resume) ? values.IsTyped(option) || T.FixedOnResume.Contains(option) : values.IsGiven(option);

    /// <summary>Options that fit the budget, which the values then hold too, so that run.json records what was chosen.</summary>
    /// <exception cref="RunFailedException">Nothing fits; the message says what would.</exception>
    public static PlannedRun Resolve(OptionValues values, TrainingOptions options, DeviceChoice device)
    {
        MemoryPlanner planner = Planner(values, device.Profile, Read(values, device));
        PlannedRun run = planner.Plan(options, values.Get(T.Model));
        bool mayDrop = device.UsesCublasLt && options.Memory.ExpandWeights && !values.IsGiven(T.Budget) && !values.IsGiven(T.ExpandWeights);
        if (mayDrop && run.Footprint.DeviceBytes > device.FreeBytes())
        {
            // Finding cuBLASLt must not make a run fail that fits without it.
            values.Set(T.ExpandWeights, false);
            run = planner.Plan(options with { Memory = options.Memory with { ExpandWeights = false } }, values.Get(T.Model));
        }

        Record(values, run);
        return run;
    }

    private static void Record(OptionValues values, PlannedRun run)
    {
        MemoryOptions memory = run.Options.Memory;
        values.Set(T.ResidualBits, memory.Weights.ResidualBits);
        foreach (Concession concession in run.GivenUp)
        {
            switch (concession.Choice)
            {
                case MemoryChoice.MicroBatch:
                    values.Set(T.BatchSize, run.Options.Shape.BatchSize);
                    values.Set(T.GradAccum, run.Options.Shape.GradAccum);
                    break;
                case MemoryChoice.Expansions:
                    values.Set(T.ExpandWeights, memory.ExpandWeights);
                    break;
                case MemoryChoice.Boundaries:
                    values.Set(T.Boundaries, memory.Boundaries);
                    break;
                case MemoryChoice.LogitChunk:
                    values.Set(T.LogitChunk, memory.LogitChunk);
                    break;
                case MemoryChoice.VocabularySlice:
                    values.Set(T.VocabularySlice, memory.VocabularySlice);
                    break;
                case MemoryChoice.GradientDType:
                    values.Set(T.GradDType, memory.GradientDType);
                    break;
                case MemoryChoice.HeadOptimizer:
                    values.Set(T.HeadOptimizer, run.Options.Optimizer.EmbeddingAndHeadKind);
                    break;
                case MemoryChoice.HeadWeights:
                    values.Set(T.HeadWeights, memory.Weights.EmbeddingAndHead);
                    break;
                case MemoryChoice.ResidualLayers:
                    values.Set(T.ResidualLayers, memory.Weights.ResidualLayers);
                    break;
                case MemoryChoice.Layers:
                    values.Set(T.LayersIn, memory.Layers.Space);
                    values.Set(T.LayerSlots, memory.Layers.Slots);
                    break;
                case MemoryChoice.Overlap:
                    values.Set(T.Overlap, memory.Overlap);
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(run), concession.Choice, "unknown choice");
            }
        }
    }
}
