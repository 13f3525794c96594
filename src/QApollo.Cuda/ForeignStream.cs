using QApollo.Cuda.Driver;

namespace QApollo.Cuda;

/// <summary>
/// A stream on which another library works on the device's memory, between a <see cref="Begin"/> and an <see cref="End"/>.
/// Belongs to the caller, who closes it before the device.
/// </summary>
public sealed class ForeignStream : IDisposable
{
    private readonly CudaDevice _device;
    private readonly CudaContext _context;
    private readonly nint _computation;
    private readonly nint _ready;
    private readonly nint _done;

    internal ForeignStream(CudaDevice device, CudaContext context, nint computation)
    {
        (_device, _context, _computation) = (device, context, computation);
        Handle = context.CreateStream();
        _ready = context.CreateEvent();
        _done = context.CreateEvent();
    }

    /// <summary>The CUstream.</summary>
    public nint Handle { get; }

    /// <summary>Makes the device's context current; what is put into the stream from now on runs after all operations so far.</summary>
    public void Begin()
    {
        _device.Cut();
        _context.Record(_ready, _computation);
        _context.Wait(Handle, _ready);
    }

    /// <summary>Later operations run after all that was put into the stream. The host does not wait.</summary>
    public void End()
    {
        _context.Record(_done, Handle);
        _context.Wait(_computation, _done);
    }

    public void Dispose()
    {
        _device.Cut();
        _context.Synchronize(Handle);
        _context.DestroyEvent(_ready);
        _context.DestroyEvent(_done);
        _context.DestroyStream(Handle);
    }
}
