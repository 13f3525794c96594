using QApollo.Cuda.Driver;

namespace QApollo.Cuda;

/// <summary>
/// A stream on which another library works on the device's memory, between a <see cref="Begin"/> and a <see cref="Mark"/>.
/// Belongs to the caller, who closes it before the device.
/// </summary>
public sealed class ForeignStream : IDisposable
{
    private readonly CudaDevice _device;
    private readonly CudaContext _context;
    private readonly nint _computation;
    private readonly nint _ready;
    private readonly List<nint> _done = [];
    private readonly Stack<int> _free = [];

    internal ForeignStream(CudaDevice device, CudaContext context, nint computation)
    {
        (_device, _context, _computation) = (device, context, computation);
        Handle = context.CreateStream();
        _ready = context.CreateEvent();
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

    /// <summary>Marks all that was put into the stream so far.</summary>
    public int Mark()
    {
        if (!_free.TryPop(out int mark))
        {
            mark = _done.Count;
            _done.Add(_context.CreateEvent());
        }

        _context.Record(_done[mark], Handle);
        return mark;
    }

    /// <summary>Later operations of the device run after what was marked. The host does not wait. Each mark is awaited once.</summary>
    public void Await(int mark)
    {
        _device.Cut();
        _context.Wait(_computation, _done[mark]);
        _free.Push(mark);
    }

    public void Dispose()
    {
        _device.Cut();
        _context.Synchronize(Handle);
        _context.DestroyEvent(_ready);
        _done.ForEach(_context.DestroyEvent);
        _context.DestroyStream(Handle);
    }
}
