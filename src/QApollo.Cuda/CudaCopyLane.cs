using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

/// <summary>A stream of its own, on which another thread copies what the computing one has marked by events.</summary>
internal sealed unsafe class CudaCopyLane : ICopyLane
{
    private readonly CudaDevice _device;
    private readonly CudaContext _context;
    private readonly nint _computation;
    private readonly nint _stream;
    private readonly nint[] _marks;
    private int _next;

    public CudaCopyLane(CudaDevice device, CudaContext context, nint computation, int marks)
    {
        (_device, _context, _computation) = (device, context, computation);
        _stream = context.CreateStream();
        _marks = new nint[marks];
        for (int mark = 0; mark < marks; mark++)
        {
            _marks[mark] = context.CreateEvent();
        }
    }

    public int Mark()
    {
        _device.Cut();
        int mark = _next;
        _next = (_next + 1) % _marks.Length;
        _context.Record(_marks[mark], _computation);
        return mark;
    }

    public void Download(int mark, Tensor source, Span<byte> destination)
    {
        fixed (byte* target = destination[..checked((int)source.Bytes)])
        {
            _context.MakeCurrent();
            _context.Wait(_stream, _marks[mark]);
            _context.Copy(source.Address, (nint)target, source.Bytes, _stream);
            _context.Synchronize(_stream);
        }
    }

    public void Upload(ReadOnlySpan<byte> source, Tensor destination)
    {
        fixed (byte* from = source[..checked((int)destination.Bytes)])
        {
            _context.MakeCurrent();
            _context.Copy((nint)from, destination.Address, destination.Bytes, _stream);
            _context.Synchronize(_stream);
        }
    }

    public void Dispose()
    {
        _device.Cut();
        Array.ForEach(_marks, _context.DestroyEvent);
        _context.DestroyStream(_stream);
    }
}
