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

    private const string Owner = "the CPU device";

    private readonly Dictionary<nint, nint> _blocks = [];

    /// <exception cref="OutOfMemoryException">More than the machine (or its container) has, or the system refuses.</exception>
    public nint Allocate(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        HostMemoryCheck.Require(Owner, bytes);

        nuint alignment = (nuint)bytes >= LargePage ? LargePage : SmallAlignment;
        nint block;
        try
        {
            block = (nint)NativeMemory.AllocZeroed((nuint)bytes + alignment);
        }
        catch (OutOfMemoryException exception)
        {
            throw HostMemoryCheck.Refused(Owner, bytes, exception);
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
}
