using QApollo.Memory;

namespace QApollo.Cuda.Driver;

/// <summary>The primary context of a card: memory, streams and events. Any thread may call, and several at once: the driver sees to that.</summary>
internal sealed unsafe class CudaContext : IDisposable
{
    private const uint NonBlocking = 1;
    private const uint DisableTiming = 2;
    private const int OutOfMemory = 2;
    private const int OperatingSystemRefused = 304;

    /// <summary>The context that is current on this thread, as far as this class set it.</summary>
    [ThreadStatic]
    private static nint s_current;

    private readonly DriverTable _table;
    private nint _handle;

    public CudaContext(CudaDriver driver, CudaCard card)
    {
        Driver = driver;
        Card = card;
        _table = driver.Table;
        nint handle;
        driver.Check(_table.PrimaryContextRetain(&handle, card.Handle), "cuDevicePrimaryCtxRetain");
        _handle = handle;
        MakeCurrent();
    }

    public CudaDriver Driver { get; }

    public CudaCard Card { get; }

    /// <summary>Must precede every other call: the driver keeps the current context per thread.</summary>
    /// <exception cref="ObjectDisposedException">The device is closed.</exception>
    public void MakeCurrent()
    {
        ObjectDisposedException.ThrowIf(_handle == 0, typeof(CudaDevice));
        if (s_current != _handle)
        {
            Driver.Check(_table.ContextSetCurrent(_handle), "cuCtxSetCurrent");
            s_current = _handle;
        }
    }

    public (long Free, long Total) MemoryInfo()
    {
        nuint free, total;
        Driver.Check(_table.MemoryGetInfo(&free, &total), "cuMemGetInfo");
        return ((long)free, (long)total);
    }

    /// <summary>Memory of the card, not cleared.</summary>
    /// <exception cref="OutOfMemoryException">The card has not that much left.</exception>
    public nint Allocate(long bytes)
    {
        var (free, total) = MemoryInfo();
        ulong address = 0;
        int status = bytes > free ? OutOfMemory : _table.MemoryAllocate(&address, (nuint)bytes);
        if (status == OutOfMemory)
        {
            throw new InsufficientMemoryException(
                $"{ByteSize.Format(bytes)} of device memory were asked for; {Card.Name} has {ByteSize.Format(free)} of {ByteSize.Format(total)} free: close other programs that use the GPU, or make the run fit with --budget auto");
        }

        Driver.Check(status, "cuMemAlloc");
        return (nint)address;
    }

    public void Free(nint address) => Driver.Check(_table.MemoryFree((ulong)address), "cuMemFree");

    /// <summary>Page-locked host memory, not cleared.</summary>
    /// <exception cref="OutOfMemoryException">The system does not lock that much.</exception>
    public nint AllocateHost(long bytes)
    {
        nint address;
        HostMemoryCheck.RequirePinned(bytes);
        int status = _table.HostAllocate(&address, (nuint)bytes, 0);
        if (status is OutOfMemory or OperatingSystemRefused)
        {
            throw new InsufficientMemoryException(
                $"{ByteSize.Format(bytes)} of page-locked host memory were asked for, which the system did not lock: {HostMemoryCheck.Remedy}");
        }

        Driver.Check(status, "cuMemHostAlloc");
        return address;
    }

    public void FreeHost(nint address) => Driver.Check(_table.HostFree(address), "cuMemFreeHost");

    /// <summary>Between any two of device and page-locked host memory.</summary>
    public void Copy(nint source, nint target, long bytes, nint stream) =>
        Driver.Check(_table.CopyAsync((ulong)target, (ulong)source, (nuint)bytes, stream), "cuMemcpyAsync");

    public void Fill(nint target, byte value, long bytes, nint stream) =>
        Driver.Check(_table.FillAsync((ulong)target, value, (nuint)bytes, stream), "cuMemsetD8Async");

    public nint CreateStream()
    {
        nint stream;
        Driver.Check(_table.StreamCreate(&stream, NonBlocking), "cuStreamCreate");
        return stream;
    }

    public void DestroyStream(nint stream) => Driver.Check(_table.StreamDestroy(stream), "cuStreamDestroy");

    /// <summary>The host waits for all work of the stream.</summary>
    public void Synchronize(nint stream) => Driver.Check(_table.StreamSynchronize(stream), "cuStreamSynchronize");

    /// <param name="timed">For <see cref="ElapsedMilliseconds"/>; costs more.</param>
    public nint CreateEvent(bool timed = false)
    {
        nint created;
        Driver.Check(_table.EventCreate(&created, timed ? 0 : DisableTiming), "cuEventCreate");
        return created;
    }

    public void DestroyEvent(nint destroyed) => Driver.Check(_table.EventDestroy(destroyed), "cuEventDestroy");

    /// <summary>The event happens when all work so far in the stream is done.</summary>
    public void Record(nint recorded, nint stream) => Driver.Check(_table.EventRecord(recorded, stream), "cuEventRecord");

    /// <summary>Later work of the stream waits for the event; the host does not.</summary>
    public void Wait(nint stream, nint awaited) => Driver.Check(_table.StreamWaitEvent(stream, awaited, 0), "cuStreamWaitEvent");

    /// <summary>Between two timed events that have happened.</summary>
    public float ElapsedMilliseconds(nint from, nint to)
    {
        float milliseconds;
        Driver.Check(_table.EventElapsedTime(&milliseconds, from, to), "cuEventElapsedTime");
        return milliseconds;
    }

    /// <summary>The host waits for the event.</summary>
    public void SynchronizeEvent(nint awaited) => Driver.Check(_table.EventSynchronize(awaited), "cuEventSynchronize");

    public void Dispose()
    {
        if (_handle == 0)
        {
            return;
        }

        _table.ContextSetCurrent(0);
        s_current = 0;
        _handle = 0;
        Driver.Check(_table.PrimaryContextRelease(Card.Handle), "cuDevicePrimaryCtxRelease");
    }
}
