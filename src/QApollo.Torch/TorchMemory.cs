using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Memory;
using TorchSharp;

namespace QApollo.Torch;

/// <summary>The blocks that everything else is a view of: host memory, or byte tensors of a CUDA device; zeroed.</summary>
internal sealed unsafe class TorchMemory(DeviceType type, int index) : IDisposable
{
    private const int Alignment = 4096;
    private const string Owner = "the Torch device";

    private readonly Dictionary<nint, nint> _host = [];
    private readonly Dictionary<nint, TorchTensor> _tensors = [];

    /// <summary>Of each pinned block: where it begins and ends.</summary>
    private readonly Dictionary<nint, nint> _pinned = [];

    /// <exception cref="OutOfMemoryException">The space has not that much left.</exception>
    public nint Allocate(MemorySpace space, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        return type == DeviceType.CUDA ? AllocateTensor(space, bytes) : AllocateHost(bytes);
    }

    public void Free(nint address)
    {
        if (_host.Remove(address, out nint block))
        {
            NativeMemory.Free((void*)block);
        }

        if (_tensors.Remove(address, out TorchTensor? tensor))
        {
            _pinned.Remove(address);
            tensor.Dispose();
        }
    }

    /// <summary>Whether an address lies in a pinned block.</summary>
    public bool IsHost(nint address)
    {
        foreach ((nint first, nint end) in _pinned)
        {
            if (address >= first && address < end)
            {
                return true;
            }
        }

        return false;
    }

    public void Dispose()
    {
        foreach (nint block in _host.Values)
        {
            NativeMemory.Free((void*)block);
        }

        foreach (TorchTensor tensor in _tensors.Values)
        {
            tensor.Dispose();
        }

        _host.Clear();
        _tensors.Clear();
    }

    private nint AllocateHost(long bytes)
    {
        HostMemoryCheck.Require(Owner, bytes);
        nint block;
        try
        {
            block = (nint)NativeMemory.AllocZeroed((nuint)bytes + Alignment);
        }
        catch (OutOfMemoryException exception)
        {
            throw HostMemoryCheck.Refused(Owner, bytes, exception);
        }

        nint address = (nint)(((nuint)block + Alignment - 1) & ~(nuint)(Alignment - 1));
        _host.Add(address, block);
        return address;
    }

    private nint AllocateTensor(MemorySpace space, long bytes)
    {
        TorchTensor tensor;
        try
        {
            tensor = space == MemorySpace.Device
                ? torch.zeros(bytes + Alignment, ScalarType.Byte, new torch.Device(type, index))
                : PinnedZeros(bytes + Alignment);
        }
        catch (ExternalException exception)
        {
            throw new InsufficientMemoryException(
                $"{Owner} was asked for {ByteSize.Format(bytes)}, which libtorch does not get: --budget auto makes a run fit that is here, qapollo plan tells what it takes", exception);
        }

        tensor.DetachFromDisposeScope();
        nint address = (nint)(((nuint)Data(tensor.Handle) + Alignment - 1) & ~(nuint)(Alignment - 1));
        _tensors.Add(address, tensor);
        if (space == MemorySpace.PinnedHost)
        {
            _pinned.Add(address, address + (nint)bytes);
        }

        return address;
    }

    private static TorchTensor PinnedZeros(long bytes)
    {
        using TorchTensor pageable = torch.zeros(bytes, ScalarType.Byte, torch.CPU);
        return pageable.pin_memory();
    }

    [DllImport("LibTorchSharp", EntryPoint = "THSTensor_data")]
    private static extern nint Data(nint tensor);
}
