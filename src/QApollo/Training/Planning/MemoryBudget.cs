namespace QApollo.Training.Planning;

/// <summary>How much memory a run may take.</summary>
/// <param name="DeviceBytes">Device memory, the driver's context included; <see cref="Unlimited"/> for no bound.</param>
/// <param name="HostBytes">Host memory, pinned and ordinary; <see cref="Unlimited"/> for no bound.</param>
public readonly record struct MemoryBudget(long DeviceBytes, long HostBytes)
{
    public const long Unlimited = long.MaxValue;

    public static MemoryBudget None { get; } = new(Unlimited, Unlimited);

    public bool Allows(in Footprint footprint) => footprint.DeviceBytes <= DeviceBytes && footprint.HostBytes <= HostBytes;
}

/// <summary>What a run takes.</summary>
/// <param name="DeviceBytes">The device allocation and the driver's context.</param>
/// <param name="HostBytes">The pinned allocation and the ordinary host memory.</param>
public readonly record struct Footprint(long DeviceBytes, long HostBytes)
{
    public static Footprint Of(TrainingLayout layout) => new(
        layout.Plan.DeviceTotalBytes, checked(layout.Plan.PinnedHostArenaBytes + HostMemory.Of(layout).TotalBytes));
}
