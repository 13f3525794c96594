using QApollo.Memory;
using QApollo.Training;

namespace QApollo.Reports;

/// <summary>What keeps a card from being faster.</summary>
public enum Bottleneck
{
    TensorCores,
    InstructionIssue,
    SharedMemory,
    Cache,
    Memory,
}

/// <summary>One operation of a step on a card: how long all of its kind take at least, and why.</summary>
public sealed record PredictedOperation(OperationWork Work, int Count, double Seconds, Bottleneck Bottleneck);

/// <summary>
/// The speed of the shipped kernels on a card that nothing holds up but its slowest part: for each operation the largest of the times
/// that tensor cores, issue slots, shared memory, second-level cache and memory need for what the kernels were counted to do (see
/// <see cref="OperationCosts"/>). No launch takes time, all multiprocessors are busy to the end, and every latency is hidden; host work and
/// transfers run beside it. A prediction that a card will miss, by how much nobody knows before a run: docs/predictions.md.
/// </summary>
/// <param name="Operations">The longest first.</param>
public sealed record StepPrediction(Card Card, double TokensPerSecond, IReadOnlyList<PredictedOperation> Operations)
{
    /// <summary>Of a warp instruction each, for each clock of a multiprocessor: one of each of its four schedulers.</summary>
    private const double IssueSlots = 4;

    /// <summary>Sectors that a multiprocessor exchanges with the second-level cache in a clock: 64 bytes.</summary>
    private const double SectorsPerClock = 2;

    /// <summary>Whether the layout is one of the CUDA device, whose kernels were counted.</summary>
    public static bool IsFor(TrainingLayout layout) => layout.Plan.Profile.ActivationDType == Devices.DType.BF16;

    /// <param name="layout">One that <see cref="IsFor"/>.</param>
    public static StepPrediction Of(TrainingLayout layout, Card card) => Of(layout, StepWork.Of(layout), card);

    /// <summary>The time of one operation, in seconds, and what sets it.</summary>
    public static (double Seconds, Bottleneck Bottleneck) Predict(in OperationWork work, Card card)
    {
        OperationCost? cost = OperationCosts.Find(work.Operation, work.Form);
        double units = work.Kind is WorkKind.Product or WorkKind.Attention ? work.Flops : work.Bytes;
        (double Seconds, Bottleneck Bottleneck) longest = (work.Bytes / card.BytesPerSecond, Bottleneck.Memory);
        if (cost is null)
        {
            return longest;
        }

        double clocks = card.Processors * card.ClockHertz;
        ReadOnlySpan<(double Seconds, Bottleneck Bottleneck)> others =
        [
            (units * cost.TensorFlops / card.BFloatFlops, Bottleneck.TensorCores),
            (units * cost.Instructions / (IssueSlots * clocks), Bottleneck.InstructionIssue),
            (units * cost.Wavefronts / clocks, Bottleneck.SharedMemory),
            (units * cost.Sectors / (SectorsPerClock * clocks), Bottleneck.Cache),
        ];
        foreach ((double Seconds, Bottleneck Bottleneck) other in others)
        {
            longest = other.Seconds > longest.Seconds ? other : longest;
        }

        return longest;
    }

    /// <summary>Share of the step's time that each part of the card sets, the largest first.</summary>
    public IReadOnlyList<(Bottleneck Bottleneck, double Share)> Shares
    {
        get
        {
            double total = Operations.Sum(operation => operation.Seconds);
            return
            [
                .. Operations.GroupBy(operation => operation.Bottleneck)
                    .Select(group => (group.Key, group.Sum(operation => operation.Seconds) / total))
                    .OrderByDescending(share => share.Item2),
            ];
        }
    }

    internal static StepPrediction Of(TrainingLayout layout, IReadOnlyDictionary<OperationWork, int> work, Card card)
    {
        PredictedOperation[] operations =
        [
            .. work.Where(pair => pair.Key.Kind != WorkKind.Transfer)
                .Select(pair =>
                {
                    (double seconds, Bottleneck bottleneck) = Predict(pair.Key, card);
                    return new PredictedOperation(pair.Key, pair.Value, pair.Value * seconds, bottleneck);
                })
                .OrderByDescending(operation => operation.Seconds),
        ];
        return new StepPrediction(card, layout.Options.Shape.TokensPerStep / operations.Sum(operation => operation.Seconds), operations);
    }
}
