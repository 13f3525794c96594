using QApollo.Devices;

namespace QApollo.Memory;

/// <summary>The memory of a run: exactly one allocation per space, of exactly the planned size.</summary>
public sealed class Arena : IDisposable
{
    private readonly IDevice _device;
    private readonly nint _deviceAddress;
    private readonly nint _pinnedHostAddress;

    /// <summary>Allocates what the plan says and binds the plan's table to it.</summary>
    /// <exception cref="OutOfMemoryException">A space has less than the plan needs.</exception>
    public Arena(IDevice device, MemoryPlan plan)
    {
        _device = device;
        const int RowBytes = 64;
        _deviceAddress = device.Allocate(MemorySpace.Device, plan.DeviceArenaBytes);
        try
        {
            _pinnedHostAddress = plan.PinnedHostArenaBytes > 0 ? device.Allocate(MemorySpace.PinnedHost, plan.PinnedHostArenaBytes) : 0;
        }
        catch
        {
            device.Free(MemorySpace.Device, _deviceAddress);
            throw;
        }

        DeviceBytes = new Tensor(_deviceAddress, DType.U8, checked((int)(plan.DeviceArenaBytes / RowBytes)), RowBytes);
        plan.Table.Bind(_deviceAddress, _pinnedHostAddress);
    }

    /// <summary>The whole device allocation, as bytes.</summary>
    public Tensor DeviceBytes { get; }

    public void Dispose()
    {
        _device.Free(MemorySpace.Device, _deviceAddress);
        if (_pinnedHostAddress != 0)
        {
            _device.Free(MemorySpace.PinnedHost, _pinnedHostAddress);
        }
    }
}
