using QApollo.Devices;
using QApollo.Memory;
using QApollo.Training;
using QApollo.Training.Planning;

namespace QApollo.Reports;

/// <summary>Bytes of one category.</summary>
/// <param name="Key">In JSON: "embeddingAndHead".</param>
/// <param name="Label">For people: "embedding and head".</param>
public sealed record CategoryBytes(string Key, string Label, long Bytes);

/// <summary>Bytes of a memory space at its peak; the categories add up to the total.</summary>
public sealed record SpaceBytes(long TotalBytes, IReadOnlyList<CategoryBytes> Categories)
{
    /// <summary>The categories that have any bytes: what people are shown.</summary>
    public IEnumerable<CategoryBytes> Used => Categories.Where(category => category.Bytes > 0);
}

/// <summary>A tensor that lives at the peak.</summary>
public sealed record LivingTensor(string Name, string Category, long Bytes);

/// <summary>The operation of the step at which the most device memory is in use.</summary>
/// <param name="Resident">Bytes that live through the whole run.</param>
/// <param name="Transient">The tensors that live only for a while and do so now, largest first.</param>
public sealed record PeakMoment(int Operation, string Name, string Phase, long Resident, IReadOnlyList<LivingTensor> Transient);

/// <summary>
/// What a run takes, for people and programs; one model behind the terminal's table, the JSON text and the page.
/// </summary>
public sealed record MemoryReport
{
    /// <summary>The model as the user named it.</summary>
    public required string Model { get; init; }

    public required long Parameters { get; init; }

    public required string DeviceName { get; init; }

    public required StepShape Shape { get; init; }

    /// <summary>The allocation and the driver's context.</summary>
    public required SpaceBytes Device { get; init; }

    public required SpaceBytes PinnedHost { get; init; }

    /// <summary>Ordinary host memory: exact inputs and an allowance for the program.</summary>
    public required SpaceBytes Host { get; init; }

    public required PeakMoment Peak { get; init; }

    public required StepTimeline Timeline { get; init; }

    public required IReadOnlyList<ChosenOption> Choices { get; init; }

    public required IReadOnlyList<Concession> GivenUp { get; init; }

    public required IReadOnlyList<Alternative> Alternatives { get; init; }

    public required IReadOnlyList<SpeedBound> SpeedBounds { get; init; }

    /// <summary>What several ranks cost each other; null where no link was named.</summary>
    public RankScaling? Scaling { get; init; }

    /// <summary>None where nothing goes over the link.</summary>
    public required IReadOnlyList<LinkUse> Link { get; init; }

    /// <summary>Null where no layer waits on disk.</summary>
    public DiskUse? Disk { get; init; }

    public MemoryBudget Budget { get; init; } = MemoryBudget.None;

    /// <param name="alternatives">As <see cref="MemoryPlanner.Alternatives"/> gives them; none to leave them out.</param>
    public static MemoryReport Of(string model, PlannedRun run, MemoryBudget budget, IReadOnlyList<Alternative> alternatives)
    {
        MemoryPlan plan = run.Layout.Plan;
        var host = HostMemory.Of(run.Layout);
        return new MemoryReport
        {
            Model = model,
            Parameters = run.Options.Model.ParameterCount,
            DeviceName = plan.Profile.Name,
            Shape = run.Options.Shape,
            Device = new SpaceBytes(
                plan.DeviceTotalBytes,
                [
                    .. Categories(plan.DeviceUsage),
                    new CategoryBytes("packing", "packing", plan.DeviceUsage.PackingBytes),
                    new CategoryBytes("context", "driver context", plan.Profile.ContextBytes),
                ]),
            PinnedHost = new SpaceBytes(
                plan.PinnedHostArenaBytes,
                plan.PinnedHostArenaBytes == 0
                    ? []
                    : [.. Categories(plan.PinnedHostUsage).Where(category => category.Bytes > 0), new CategoryBytes("packing", "packing", plan.PinnedHostUsage.PackingBytes)]),
            Host = new SpaceBytes(
                host.TotalBytes,
                [new CategoryBytes("inputs", "inputs of a step", host.Inputs), new CategoryBytes("runtime", "program, allowance", host.Runtime)]),
            Peak = PeakOf(plan),
            Timeline = StepTimeline.Of(plan),
            Choices = MemoryChoices.Of(run.Options, plan.Profile),
            GivenUp = run.GivenUp,
            Alternatives = alternatives,
            SpeedBounds = SpeedOfLight.Bounds(run.Layout),
            Link = LinkUse.Of(run.Layout),
            Disk = DiskUse.Of(run.Layout),
            Budget = budget,
        };
    }

    /// <summary>What people read for a category.</summary>
    public static string LabelOf(TensorCategory category) => category switch
    {
        TensorCategory.Codes => "attention and MLP weights",
        TensorCategory.Scales => "scales and zero points",
        TensorCategory.Residuals => "residual bits",
        TensorCategory.EmbeddingAndHead => "embedding and head",
        TensorCategory.Optimizer => "optimizer state",
        TensorCategory.Staging => "staging",
        TensorCategory.Exchange => "gradients between ranks",
        _ => category.JsonName(),
    };

    /// <summary>Bytes of every category at the peak of a space.</summary>
    internal static IEnumerable<CategoryBytes> Categories(MemoryUsage usage) => TensorCategories.All.Select(
        category => new CategoryBytes(category.JsonName(), LabelOf(category), usage.AtPeak(category)));

    private static PeakMoment PeakOf(MemoryPlan plan)
    {
        int operation = plan.DeviceUsage.PeakOperation;
        IReadOnlyList<PlannedTensor> living = plan.LivingAt(MemorySpace.Device, operation);
        return new PeakMoment(
            operation, plan.Operations[operation], plan.PhaseAt(operation).ToString(),
            living.Where(tensor => tensor.IsPersistent).Sum(tensor => tensor.Bytes),
            [
                .. living.Where(tensor => !tensor.IsPersistent)
                    .Select(tensor => new LivingTensor(tensor.Name, LabelOf(tensor.Category), tensor.Bytes)),
            ]);
    }
}
