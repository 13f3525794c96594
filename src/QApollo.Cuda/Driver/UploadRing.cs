namespace QApollo.Cuda.Driver;

/// <summary>
/// Page-locked slots through which host memory of any kind goes to the card: the source is free when the call
/// returns, and the host waits only when all slots are still being copied.
/// </summary>
internal sealed unsafe class UploadRing : IDisposable
{
    private const int SlotBytes = 1 << 20;
    private const int Slots = 4;

    private readonly CudaContext _context;
    private readonly nint _memory;
    private readonly nint[] _copied = new nint[Slots];
    private int _next;

    public UploadRing(CudaContext context)
    {
        _context = context;
        _memory = context.AllocateHost((long)SlotBytes * Slots);
        for (int i = 0; i < Slots; i++)
        {
            _copied[i] = context.CreateEvent();
        }
    }

    public void Upload(ReadOnlySpan<byte> source, nint target, nint stream)
    {
        while (!source.IsEmpty)
        {
            int bytes = Math.Min(source.Length, SlotBytes);
            nint slot = _memory + (nint)_next * SlotBytes;
            _context.SynchronizeEvent(_copied[_next]);
            source[..bytes].CopyTo(new Span<byte>((void*)slot, bytes));
            _context.Copy(slot, target, bytes, stream);
            _context.Record(_copied[_next], stream);
            _next = (_next + 1) % Slots;
            source = source[bytes..];
            target += bytes;
        }
    }

    public void Dispose()
    {
        foreach (nint copied in _copied)
        {
            _context.DestroyEvent(copied);
        }

        _context.FreeHost(_memory);
    }
}
