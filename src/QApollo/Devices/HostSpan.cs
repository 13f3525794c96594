using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace QApollo.Devices;

/// <summary>The memory of tensors that the host itself can read and write.</summary>
public static class HostSpan
{
    /// <param name="tensor">In host memory, with elements of this type, at most 2^31 - 1.</param>
    public static Span<T> Of<T>(Tensor tensor)
        where T : unmanaged =>
        MemoryMarshal.CreateSpan(ref Unsafe.As<byte, T>(ref Unsafe.AddByteOffset(ref Unsafe.NullRef<byte>(), tensor.Address)), checked((int)(tensor.Bytes / Unsafe.SizeOf<T>())));
}
