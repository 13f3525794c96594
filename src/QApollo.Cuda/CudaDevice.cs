using QApollo.Cuda.Blas;
using QApollo.Cuda.Driver;
using QApollo.Cuda.Graphs;
using QApollo.Devices;

namespace QApollo.Cuda;

/// <summary>
/// An NVIDIA GPU through the driver API. All operations are launched on one stream, transfers run on a second one;
/// kernels are the PTX built from Kernels/*.cu. Not for several threads at once, but for those that copy through <see cref="OpenCopyLane"/>.
/// </summary>
public sealed unsafe partial class CudaDevice : IDevice
{
    private readonly CudaContext _context;
    private readonly KernelModules _modules;
    private readonly nint _stream;
    private readonly CommandStream _commands;
    private readonly ProductTable _products;
    private readonly UploadRing _uploads;
    private readonly TransferQueue _transfers;
    private readonly Dictionary<(MemorySpace Space, nint Address), long> _allocations = [];
    private Tensor _workspace;
    private bool _closed;

    private CudaDevice(CudaContext context, CudaOptions options)
    {
        _context = context;
        _products = ProductTable.Open(options);
        Profile = new CudaProfile(usesCublasLt: _products.Library is not null);
        _modules = new KernelModules(context, options.PtxSource, () => options.Compiling?.Invoke(context.Card));
        _stream = context.CreateStream();
        _commands = new CommandStream(new Submission(context, _modules, _stream), options.UseGraphs);
        _uploads = new UploadRing(context);
        _transfers = new TransferQueue(context, _stream);
    }

    public DeviceProfile Profile { get; }

    /// <summary>The GPU behind the device.</summary>
    public CudaCard Card => _context.Card;

    /// <summary>Names of the kernels that were launched, or are about to be.</summary>
    internal IEnumerable<string> LoadedKernels => _modules.Loaded;

    /// <summary>Opens a GPU.</summary>
    /// <param name="ordinal">Its number, as the driver counts.</param>
    /// <param name="driverLibrary">A library with the driver's functions instead of the installed driver.</param>
    /// <param name="options">By default, those of <see cref="CudaOptions"/>.</param>
    /// <exception cref="CudaException">No driver, no such GPU, or one that is too old; the message says what to do.</exception>
    public static CudaDevice Open(int ordinal = 0, string? driverLibrary = null, CudaOptions? options = null)
    {
        CudaDriver driver = CudaDriver.Open(driverLibrary);
        CudaCard card = CudaCard.Read(driver, ordinal);
        card.RequireSupported();
        var context = new CudaContext(driver, card);
        try
        {
            return new CudaDevice(context, options ?? new CudaOptions());
        }
        catch (CudaException)
        {
            context.Dispose();
            throw;
        }
    }

    /// <summary>Bytes of device memory that are free, and all of them, as the driver counts.</summary>
    public (long Free, long Total) MemoryInfo()
    {
        _context.MakeCurrent();
        return _context.MemoryInfo();
    }

    public nint Allocate(MemorySpace space, long bytes)
    {
        _context.MakeCurrent();
        _commands.Cut();
        nint address = space == MemorySpace.Device ? _context.Allocate(bytes) : _context.AllocateHost(bytes);
        _allocations.Add((space, address), bytes);
        if (space == MemorySpace.Device)
        {
            _context.Fill(address, 0, bytes, _stream);
        }
        else
        {
            System.Runtime.InteropServices.NativeMemory.Clear((void*)address, (nuint)bytes);
        }

        return address;
    }

    public void Free(MemorySpace space, nint address)
    {
        if (!_allocations.Remove((space, address)))
        {
            throw new ArgumentException($"{space} memory at 0x{address:x} was not allocated by this device");
        }

        Synchronize();
        Release(space, address);
    }

    /// <summary>For a library that works on this device's memory beside the device.</summary>
    public ForeignStream OpenStream()
    {
        Cut();
        return new ForeignStream(this, _context, _stream);
    }

    /// <summary>Makes the context current, and gives the driver all operations so far.</summary>
    internal void Cut()
    {
        _context.MakeCurrent();
        _commands.Cut();
    }

    public void UseWorkspace(Tensor workspace) => _workspace = workspace;

    public void Upload(ReadOnlySpan<byte> source, Tensor destination)
    {
        if (IsPinnedHost(destination.Address))
        {
            Synchronize();
            source[..checked((int)destination.Bytes)].CopyTo(HostBytes(destination));
            return;
        }

        _context.MakeCurrent();
        _commands.Cut();
        _uploads.Upload(source[..checked((int)destination.Bytes)], destination.Address, _stream);
    }

    public void Download(Tensor source, Span<byte> destination)
    {
        if (IsPinnedHost(source.Address))
        {
            Synchronize();
            HostBytes(source).CopyTo(destination);
            return;
        }

        _context.MakeCurrent();
        _commands.Cut();
        fixed (byte* target = destination[..checked((int)source.Bytes)])
        {
            _context.Copy(source.Address, (nint)target, source.Bytes, _stream);
            _context.Synchronize(_stream);
        }
    }

    public Transfer BeginTransfer(Tensor source, Tensor destination)
    {
        _context.MakeCurrent();
        _commands.Cut();
        return _transfers.Begin(source.Address, destination.Address, source.Bytes);
    }

    public void AwaitTransfer(Transfer transfer)
    {
        _context.MakeCurrent();
        _commands.Cut();
        _transfers.Await(transfer);
    }

    public void WaitForTransfer(Transfer transfer)
    {
        _context.MakeCurrent();
        _commands.Cut();
        _transfers.Wait(transfer);
    }

    public ICopyLane OpenCopyLane(int marks)
    {
        Cut();
        return new CudaCopyLane(this, _context, _stream, marks);
    }

    public void Synchronize()
    {
        _context.MakeCurrent();
        _commands.Cut();
        _context.Synchronize(_stream);
        _transfers.Synchronize();
    }

    public void BeginSegment(int number)
    {
        _context.MakeCurrent();
        _commands.BeginSegment(number);
    }

    public void EndSegment()
    {
        _context.MakeCurrent();
        _commands.EndSegment();
    }

    public void Dispose()
    {
        if (_closed)
        {
            return;
        }

        _closed = true;
        _context.MakeCurrent();
        _commands.Dispose();
        foreach (var (space, address) in _allocations.Keys)
        {
            Release(space, address);
        }

        _allocations.Clear();
        DestroyMarks();
        _products.Dispose();
        _transfers.Dispose();
        _uploads.Dispose();
        _context.DestroyStream(_stream);
        _modules.Dispose();
        _context.Dispose();
    }

    private bool IsPinnedHost(nint address)
    {
        foreach (((MemorySpace space, nint start), long bytes) in _allocations)
        {
            if (space == MemorySpace.PinnedHost && address >= start && address < start + (nint)bytes)
            {
                return true;
            }
        }

        return false;
    }

    private static Span<byte> HostBytes(Tensor tensor) => new((void*)tensor.Address, checked((int)tensor.Bytes));

    private void Release(MemorySpace space, nint address)
    {
        if (space == MemorySpace.Device)
        {
            _context.Free(address);
        }
        else
        {
            _context.FreeHost(address);
        }
    }
}
