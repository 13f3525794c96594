using QApollo.Devices;

namespace QApollo.Cuda.Driver;

/// <summary>Copies on a stream of their own, ordered against the computation by events.</summary>
internal sealed class TransferQueue : IDisposable
{
    private readonly CudaContext _context;
    private readonly nint _computation;
    private readonly nint _stream;
    private readonly nint _ready;
    private readonly List<nint> _done = [];
    private readonly Stack<int> _free = [];

    /// <param name="computation">The stream of all other operations.</param>
    public TransferQueue(CudaContext context, nint computation)
    {
        _context = context;
        _computation = computation;
        _stream = context.CreateStream();
        _ready = context.CreateEvent();
    }

    /// <summary>After the computation so far, beside what follows.</summary>
    public Transfer Begin(nint source, nint target, long bytes)
    {
        _context.Record(_ready, _computation);
        _context.Wait(_stream, _ready);
        _context.Copy(source, target, bytes, _stream);
        if (!_free.TryPop(out int id))
        {
            id = _done.Count;
            _done.Add(_context.CreateEvent());
        }

        _context.Record(_done[id], _stream);
        return new Transfer(id);
    }

    /// <summary>Later computation waits for the transfer. Each transfer is awaited once.</summary>
    public void Await(Transfer transfer)
    {
        _context.Wait(_computation, _done[transfer.Id]);
        _free.Push(transfer.Id);
    }

    /// <summary>The host waits for the transfer, and later computation too. Instead of <see cref="Await"/>.</summary>
    public void Wait(Transfer transfer)
    {
        _context.SynchronizeEvent(_done[transfer.Id]);
        Await(transfer);
    }

    public void Synchronize() => _context.Synchronize(_stream);

    public void Dispose()
    {
        foreach (nint done in _done)
        {
            _context.DestroyEvent(done);
        }

        _context.DestroyEvent(_ready);
        _context.DestroyStream(_stream);
    }
}
