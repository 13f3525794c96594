namespace QApollo.Devices;

/// <summary>Where a buffer lives. The memory plan makes one allocation per space.</summary>
public enum MemorySpace
{
    /// <summary>The memory that the device computes in. On the CPU device: ordinary native memory.</summary>
    Device,

    /// <summary>Host memory that the device can copy from and to without the host's help (page-locked for CUDA).</summary>
    PinnedHost,

    /// <summary>A file. No device reaches it: tensors that live there have offsets in it for addresses, as <see cref="DiskAddress"/> has them.</summary>
    Disk,
}

/// <summary>Tells places in a file from places in memory.</summary>
public static class DiskAddress
{
    /// <summary>Beyond what any processor addresses.</summary>
    private const long Base = 1L << 60;

    public static bool IsOnDisk(this Tensor tensor) => tensor.Address >= Base;

    /// <summary>Bytes from the file's beginning.</summary>
    public static long FileOffset(this Tensor tensor) => tensor.Address - Base;

    public static nint Of(long fileOffset) => (nint)(Base + fileOffset);
}
