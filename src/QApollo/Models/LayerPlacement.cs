using QApollo.Devices;

namespace QApollo.Models;

/// <summary>Where the matrices of the decoder layers live between their uses.</summary>
/// <param name="Space">With <see cref="MemorySpace.PinnedHost"/> or <see cref="MemorySpace.Disk"/> the device has a ring of slots that layers pass through.</param>
/// <param name="Slots">Layers that the ring holds: 2 to 4. More of them even out layers that take longer to come.</param>
public sealed record LayerPlacement(MemorySpace Space = MemorySpace.Device, int Slots = LayerPlacement.FewestSlots)
{
    /// <summary>The layer in use, and the one on its way.</summary>
    public const int FewestSlots = 2;

    public const int MostSlots = 4;

    public static LayerPlacement OnDevice { get; } = new();
}
