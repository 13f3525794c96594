using QApollo.Devices;

namespace QApollo.Memory;

/// <summary>
/// Where every tensor of a run lies, to the byte. Made from the tensor table and a rehearsal of the step; needs no
/// device. The arena is allocated from it and nothing else is allocated afterwards.
/// </summary>
public sealed class MemoryPlan
{
    private MemoryPlan(
        TensorTable table, DeviceProfile profile, LivenessAnalysis rehearsal, IReadOnlyList<PlanPhase> phases, long deviceBytes, long pinnedHostBytes, long diskBytes)
    {
        IReadOnlyList<string> operations = rehearsal.Operations;
        Table = table;
        Profile = profile;
        Operations = operations;
        Products = rehearsal.Products;
        Phases = phases;
        DeviceArenaBytes = deviceBytes;
        PinnedHostArenaBytes = pinnedHostBytes;
        DiskBytes = diskBytes;
        DeviceUsage = MemoryUsage.Of(table, MemorySpace.Device, operations.Count, deviceBytes, tensor => tensor.LiveRanges);
        PinnedHostUsage = MemoryUsage.Of(table, MemorySpace.PinnedHost, operations.Count, pinnedHostBytes, tensor => tensor.LiveRanges);
    }

    public TensorTable Table { get; }

    public DeviceProfile Profile { get; }

    /// <summary>Names of the operations of the rehearsal; live ranges and timelines index them.</summary>
    public IReadOnlyList<string> Operations { get; }

    /// <summary>The different matrix products of the rehearsal.</summary>
    public IReadOnlyList<ProductShape> Products { get; }

    /// <summary>What the operations belong to, in order; empty when the rehearsal did not say.</summary>
    public IReadOnlyList<PlanPhase> Phases { get; }

    /// <summary>Bytes of the one device allocation.</summary>
    public long DeviceArenaBytes { get; }

    /// <summary>Bytes of the one pinned host allocation; 0 for none.</summary>
    public long PinnedHostArenaBytes { get; }

    /// <summary>Bytes of the one file; 0 for none.</summary>
    public long DiskBytes { get; }

    /// <summary>The device allocation and the driver's context.</summary>
    public long DeviceTotalBytes => checked(DeviceArenaBytes + Profile.ContextBytes);

    public MemoryUsage DeviceUsage { get; }

    public MemoryUsage PinnedHostUsage { get; }

    /// <summary>The phase of an operation.</summary>
    public PlanPhase PhaseAt(int operation)
    {
        PlanPhase found = default;
        foreach (PlanPhase phase in Phases)
        {
            found = phase.FirstOperation <= operation ? phase : found;
        }

        return found;
    }

    /// <summary>The tensors of a space that live at an operation, largest first.</summary>
    public IReadOnlyList<PlannedTensor> LivingAt(MemorySpace space, int operation) =>
    [
        .. Table.Tensors
            .Where(tensor => tensor.Space == space && tensor.LivesAt(operation))
            .OrderByDescending(tensor => tensor.Bytes),
    ];

    /// <summary>Rehearses a step on virtual addresses and packs the table's tensors by what was seen.</summary>
    /// <param name="table">All tensors of the run.</param>
    /// <param name="profile">The device to plan for.</param>
    /// <param name="rehearse">Runs everything that a run does on the device it is given.</param>
    /// <exception cref="InvalidOperationException">The step reads what nothing wrote, or leaves a tensor: a fault of the step.</exception>
    /// <exception cref="OverflowException">The tensors together need more bytes than 64 bits count.</exception>
    public static MemoryPlan Make(TensorTable table, DeviceProfile profile, Action<IDevice, PhaseLog> rehearse)
    {
        table.BindVirtual(profile.Alignment);
        var liveness = new LivenessAnalysis((tensor, _) => table.FromVirtual(tensor.Address));
        using var device = new TracingDevice(profile, liveness);
        var phases = new PhaseLog(() => liveness.Operations.Count);
        rehearse(device, phases);
        foreach (PlannedTensor tensor in table.Tensors)
        {
            tensor.LiveRanges = liveness.RangesOf(tensor);
        }

        long deviceBytes = ArenaPacker.Pack(table.Tensors, MemorySpace.Device, profile.Alignment);
        long pinnedHostBytes = ArenaPacker.Pack(table.Tensors, MemorySpace.PinnedHost, profile.Alignment);
        long diskBytes = ArenaPacker.Pack(table.Tensors, MemorySpace.Disk, profile.Alignment);
        return new MemoryPlan(table, profile, liveness, phases.Phases, deviceBytes, pinnedHostBytes, diskBytes);
    }

    /// <summary>As the other, for a rehearsal without phases.</summary>
    public static MemoryPlan Make(TensorTable table, DeviceProfile profile, Action<IDevice> rehearse) =>
        Make(table, profile, (device, _) => rehearse(device));
}
