using System.Runtime.InteropServices;
using QApollo.Memory;

namespace QApollo.Cpu;

/// <summary>
/// The device's memory: large zeroed blocks whose pages the operating system fills in at first touch, so that a
/// planned but unused byte costs nothing.
/// </summary>
internal sealed unsafe class NativeArena : IDisposable
{
    /// <summary>The size of a large page, so that the system can use them.</summary>
    private const nuint LargePage = 2 << 20;

    private const nuint SmallAlignment = 4096;

    private readonly Dictionary<nint, nint> _blocks = [];

    /// <exception cref="OutOfMemoryException">More than the machine (or its container) has, or the system refuses.</exception>
    public nint Allocate(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        long available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (bytes > available)
        {
            throw OutOfMemory(bytes, available, null);
        }

        nuint alignment = (nuint)bytes >= LargePage ? LargePage : SmallAlignment;
        nint block;
        try
        {
            block = (nint)NativeMemory.AllocZeroed((nuint)bytes + alignment);
        }
        catch (OutOfMemoryException exception)
        {
            throw OutOfMemory(bytes, available, exception);
        }

        nint address = (nint)(((nuint)block + alignment - 1) & ~(alignment - 1));
        _blocks.Add(address, block);
        return address;
    }

    public void Free(nint address)
    {
        if (_blocks.Remove(address, out nint block))
        {
            NativeMemory.Free((void*)block);
        }
    }

    public void Dispose()
    {
        foreach (nint block in _blocks.Values)
        {
            NativeMemory.Free((void*)block);
        }

        _blocks.Clear();
    }

    private static InsufficientMemoryException OutOfMemory(long bytes, long available, Exception? inner) => new(
        $"the CPU device was asked for {ByteSize.Format(bytes)}; the machine has {ByteSize.Format(available)} for this process: --budget auto makes a run fit that is here, qapollo plan tells what it takes",
        inner);
}
