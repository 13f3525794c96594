using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Memory;
using TorchSharp;

namespace QApollo.Torch;

/// <summary>The blocks that everything else is a view of: host memory, or byte tensors of a CUDA device; zeroed.</summary>
internal sealed unsafe class TorchMemory(DeviceType type, int index) : IDisposable
{
    private const string Owner = "the Torch device";

    /// <summary>A few: the arenas, and buffers beside them.</summary>
    private readonly List<TorchBlock> _blocks = [];

    /// <summary>By a block's address, what the system gave for it.</summary>
    private readonly Dictionary<nint, nint> _host = [];

    /// <exception cref="OutOfMemoryException">The space has not that much left.</exception>
    public nint Allocate(MemorySpace space, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        return type == DeviceType.CUDA ? AllocateTensor(space, bytes) : AllocateHost(bytes);
    }

    public void Free(nint address)
    {
        int place = _blocks.FindIndex(block => block.Address == address);
        if (place >= 0)
        {
            _blocks[place].Dispose();
            _blocks.RemoveAt(place);
        }

        if (_host.Remove(address, out nint given))
        {
            NativeMemory.Free((void*)given);
        }
    }

    /// <summary>A row-major tensor at an address of a block.</summary>
    public TorchTensor View(nint address, ScalarType element, ReadOnlySpan<long> shape) => BlockOf(address).View(address, element, shape);

    /// <summary>Whether an address lies in host memory.</summary>
    public bool IsHost(nint address) => BlockOf(address).IsOnHost;

    public void Dispose()
    {
        while (_blocks.Count > 0)
        {
            Free(_blocks[^1].Address);
        }
    }

    private TorchBlock BlockOf(nint address)
    {
        foreach (TorchBlock block in _blocks)
        {
            if (address >= block.Address && address < block.End)
            {
                return block;
            }
        }

        throw new ArgumentException("the address is of no memory that this device gave", nameof(address));
    }

    private nint AllocateHost(long bytes)
    {
        HostMemoryCheck.Require(Owner, bytes);
        nint given;
        long room = TorchBlock.WithAlignment(bytes);
        try
        {
            given = (nint)NativeMemory.AllocZeroed((nuint)room);
        }
        catch (OutOfMemoryException exception)
        {
            throw HostMemoryCheck.Refused(Owner, bytes, exception);
        }

        nint address = Add(TorchContext.HostView(given, ScalarType.Byte, room));
        _host.Add(address, given);
        return address;
    }

    private nint AllocateTensor(MemorySpace space, long bytes)
    {
        try
        {
            long room = TorchBlock.WithAlignment(bytes);
            return Add(space == MemorySpace.Device ? torch.zeros(room, ScalarType.Byte, new torch.Device(type, index)) : PinnedZeros(room));
        }
        catch (ExternalException exception)
        {
            throw new InsufficientMemoryException(
                $"{Owner} was asked for {ByteSize.Format(bytes)}, which libtorch does not get: {HostMemoryCheck.Advice}", exception);
        }
    }

    private nint Add(TorchTensor bytes)
    {
        var block = new TorchBlock(bytes);
        _blocks.Add(block);
        return block.Address;
    }

    /// <summary>By way of pageable memory that is never written, so that the system has no pages to find for it.</summary>
    private static TorchTensor PinnedZeros(long bytes)
    {
        using TorchTensor pageable = torch.empty(bytes, ScalarType.Byte, torch.CPU);
        TorchTensor pinned = pageable.pin_memory();
        pinned.zero_();
        return pinned;
    }
}
