using QApollo.Devices;

namespace QApollo.Memory;

/// <summary>
/// Where every tensor of a run lies, to the byte. Made from the tensor table and a rehearsal of the step; needs no
/// device. The arena is allocated from it and nothing else is allocated afterwards.
/// </summary>
public sealed class MemoryPlan
{
    private MemoryPlan(TensorTable table, DeviceProfile profile, IReadOnlyList<string> operations, long deviceBytes, long pinnedHostBytes)
    {
        Table = table;
        Profile = profile;
        Operations = operations;
        DeviceArenaBytes = deviceBytes;
        PinnedHostArenaBytes = pinnedHostBytes;
        DeviceUsage = MemoryUsage.Of(table, MemorySpace.Device, operations.Count, deviceBytes, tensor => tensor.LiveRanges);
        PinnedHostUsage = MemoryUsage.Of(table, MemorySpace.PinnedHost, operations.Count, pinnedHostBytes, tensor => tensor.LiveRanges);
    }

    public TensorTable Table { get; }

    public DeviceProfile Profile { get; }

    /// <summary>Names of the operations of the rehearsal; live ranges and timelines index them.</summary>
    public IReadOnlyList<string> Operations { get; }

    /// <summary>Bytes of the one device allocation.</summary>
    public long DeviceArenaBytes { get; }

    /// <summary>Bytes of the one pinned host allocation; 0 for none.</summary>
    public long PinnedHostArenaBytes { get; }

    /// <summary>The device allocation and the driver's context.</summary>
    public long DeviceTotalBytes => checked(DeviceArenaBytes + Profile.ContextBytes);

    public MemoryUsage DeviceUsage { get; }

    public MemoryUsage PinnedHostUsage { get; }

    /// <summary>Rehearses a step on virtual addresses and packs the table's tensors by what was seen.</summary>
    /// <param name="table">All tensors of the run.</param>
    /// <param name="profile">The device to plan for.</param>
    /// <param name="rehearse">Runs everything that a run does on the device it is given.</param>
    /// <exception cref="InvalidOperationException">The step reads what nothing wrote, or leaves a tensor: a fault of the step.</exception>
    public static MemoryPlan Make(TensorTable table, DeviceProfile profile, Action<IDevice> rehearse)
    {
        table.BindVirtual(profile.Alignment);
        var liveness = new LivenessAnalysis((tensor, _) => table.FromVirtual(tensor.Address));
        using var device = new TracingDevice(profile, liveness);
        rehearse(device);
        foreach (PlannedTensor tensor in table.Tensors)
        {
            tensor.LiveRanges = liveness.RangesOf(tensor);
        }

        long deviceBytes = ArenaPacker.Pack(table.Tensors, MemorySpace.Device, profile.Alignment);
        long pinnedHostBytes = ArenaPacker.Pack(table.Tensors, MemorySpace.PinnedHost, profile.Alignment);
        return new MemoryPlan(table, profile, liveness.Operations, deviceBytes, pinnedHostBytes);
    }
}
