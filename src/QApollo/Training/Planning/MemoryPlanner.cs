using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Training.Planning;

/// <summary>
/// Finds options that fit a budget and give up as little as possible. Every candidate is rehearsed and packed like
/// the run itself, so what is promised is what is allocated.
/// </summary>
/// <param name="pinned">Choices that the user made: never touched.</param>
public sealed class MemoryPlanner(DeviceProfile profile, MemoryBudget budget, IReadOnlySet<MemoryChoice> pinned)
{
    /// <summary>A concession that adds less than this share of arithmetic stays made where it frees something: the memory serves whatever else the card does.</summary>
    internal const double NegligibleWork = 0.01;

    private readonly Dictionary<TrainingOptions, TrainingLayout> _layouts = [];

    /// <summary>
    /// Concedes along the ladder until the plan fits, then takes back, costliest first, what turns out not to be needed and costs anything.
    /// </summary>
    /// <param name="name">The model's name, for messages.</param>
    /// <exception cref="RunFailedException">Nothing fits; the message says the smallest budget that would do, and how.</exception>
    /// <exception cref="UsageException">The options contradict each other, or their sizes cannot be counted.</exception>
    public PlannedRun Plan(TrainingOptions options, string name)
    {
        var steps = new List<Concession>();
        TrainingOptions current = Concede(options, steps);
        if (!budget.Allows(FootprintOf(current)))
        {
            throw DoesNotFit(name, options, current);
        }

        for (int i = steps.Count - 1; i >= 0; i--)
        {
            Concession[] fewer = [.. steps.Where((_, index) => index != i)];
            bool isCheap = steps[i].ExtraWork?.Invoke(options) < NegligibleWork;
            if (ApplyAll(options, fewer) is { } candidate && budget.Allows(FootprintOf(candidate))
                && !(isCheap && FootprintOf(candidate).DeviceBytes > FootprintOf(current).DeviceBytes))
            {
                (current, steps) = (candidate, [.. fewer]);
            }
        }

        return new PlannedRun(LayoutOf(current), steps);
    }

    /// <summary>The least device memory that the pinned choices and the host budget allow.</summary>
    public PlannedRun Smallest(TrainingOptions options)
    {
        var steps = new List<Concession>();
        var planner = new MemoryPlanner(profile, budget with { DeviceBytes = 0 }, pinned);
        return new PlannedRun(planner.LayoutOf(planner.Concede(options, steps)), steps);
    }

    /// <summary>For every concession: what it would free where it is not made and frees something, and what taking it back would cost where it is.</summary>
    public IReadOnlyList<Alternative> Alternatives(TrainingOptions original, PlannedRun run)
    {
        var alternatives = new List<Alternative>();
        foreach (Concession concession in ConcessionLadder.All)
        {
            bool isMade = run.GivenUp.Contains(concession);
            TrainingOptions? other = isMade
                ? ApplyAll(original, [.. run.GivenUp.Where(made => made != concession)])
                : concession.Apply(run.Options, profile);
            if (other is not null)
            {
                Footprint footprint = FootprintOf(other);
                if (!isMade && footprint.DeviceBytes >= run.Footprint.DeviceBytes && footprint.HostBytes >= run.Footprint.HostBytes)
                {
                    continue;
                }

                alternatives.Add(new Alternative(
                    concession, isMade, pinned.Contains(concession.Choice), other,
                    footprint.DeviceBytes - run.Footprint.DeviceBytes, footprint.HostBytes - run.Footprint.HostBytes));
            }
        }

        return alternatives;
    }

    /// <summary>
    /// Layer inputs are the first to ask for host memory, and may leave too little of it for the layers: where nothing fits, or less,
    /// the inputs stay on the device.
    /// </summary>
    private TrainingOptions Concede(TrainingOptions options, List<Concession> steps)
    {
        (TrainingOptions current, List<Concession> made) = Climb(options, ConcessionLadder.All);
        if (!budget.Allows(FootprintOf(current)) && made.Any(step => step.Choice == MemoryChoice.Boundaries))
        {
            (TrainingOptions other, List<Concession> otherMade) = Climb(options, ConcessionLadder.All.Where(step => step.Choice != MemoryChoice.Boundaries));
            (current, made) = FootprintOf(other).DeviceBytes < FootprintOf(current).DeviceBytes ? (other, otherMade) : (current, made);
        }

        steps.AddRange(made);
        return current;
    }

    /// <summary>
    /// Applies the ladder until the budget allows it, each concession as often as it helps. One that frees nothing is
    /// made too: it may matter once a larger peak is gone. One that takes memory is not: smaller micro-batches, for
    /// one, keep the gradients of a whole layer.
    /// </summary>
    private (TrainingOptions Options, List<Concession> Steps) Climb(TrainingOptions options, IEnumerable<Concession> ladder)
    {
        TrainingOptions current = options;
        var steps = new List<Concession>();
        foreach (Concession concession in ladder)
        {
            if (!pinned.Contains(concession.Choice))
            {
                current = Concede(current, concession, steps);
            }
        }

        return (current, steps);
    }

    private TrainingOptions Concede(TrainingOptions options, Concession concession, List<Concession> steps)
    {
        TrainingOptions best = options;
        Footprint least = FootprintOf(options);
        int applied = 0;
        int times = 0;
        for (TrainingOptions? next = concession.Apply(options, profile);
            next is not null && !budget.Allows(least);
            next = concession.Apply(next, profile))
        {
            applied++;
            Footprint footprint = FootprintOf(next);
            bool hostAllows = footprint.HostBytes <= budget.HostBytes || footprint.HostBytes <= least.HostBytes;
            if (footprint.DeviceBytes <= least.DeviceBytes && hostAllows)
            {
                (best, least, times) = (next, footprint, applied);
            }
        }

        steps.AddRange(Enumerable.Repeat(concession, times));
        return best;
    }

    private TrainingOptions? ApplyAll(TrainingOptions options, IReadOnlyList<Concession> steps)
    {
        TrainingOptions? current = options;
        foreach (Concession step in steps)
        {
            current = current is null ? null : step.Apply(current, profile);
        }

        return current;
    }

    private RunFailedException DoesNotFit(string name, TrainingOptions options, TrainingOptions closest)
    {
        Footprint least = FootprintOf(closest);
        string with = string.Join(' ', MemoryChoices.Of(closest, profile));
        if (least.HostBytes > budget.HostBytes && least.DeviceBytes <= budget.DeviceBytes)
        {
            return new RunFailedException(
                $"{name} does not fit --host-budget {ByteSize.Format(budget.HostBytes)}: the smallest that would do is {Rounded(least.HostBytes)}, with {with}");
        }

        string free = string.Empty;
        if (pinned.Count > 0)
        {
            var unpinned = new MemoryPlanner(profile, budget, new HashSet<MemoryChoice>());
            long bytes = unpinned.Smallest(options).Footprint.DeviceBytes;
            free = bytes < least.DeviceBytes ? $"; with no choice made by hand, {Rounded(bytes)}" : string.Empty;
        }

        (string both, string host) = least.HostBytes > budget.HostBytes
            ? ($" and --host-budget {ByteSize.Format(budget.HostBytes)}", $" and --host-budget {Rounded(least.HostBytes)}")
            : (string.Empty, string.Empty);
        return new RunFailedException(
            $"{name} does not fit --budget {ByteSize.Format(budget.DeviceBytes)}{both}: the smallest that would do is {Rounded(least.DeviceBytes)}{host}, with {with}{free}");
    }

    /// <summary>Whole MiB that are enough.</summary>
    private static string Rounded(long bytes) => $"{(bytes + (1 << 20) - 1) >> 20}MiB";

    private Footprint FootprintOf(TrainingOptions options) => Footprint.Of(LayoutOf(options));

    private TrainingLayout LayoutOf(TrainingOptions options)
    {
        if (!_layouts.TryGetValue(options, out TrainingLayout? layout))
        {
            try
            {
                layout = new TrainingLayout(options, profile);
            }
            catch (Exception exception) when (exception is OverflowException or OutOfMemoryException)
            {
                throw new UsageException("the sizes of the model and of a step multiply to more bytes than can be counted; check --model, --batch-size and --seq-len", exception);
            }

            _layouts.Add(options, layout);
        }

        return layout;
    }
}
