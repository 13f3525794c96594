namespace QApollo.Devices;

/// <summary>Where a buffer lives. The memory plan makes one allocation per space.</summary>
public enum MemorySpace
{
    /// <summary>The memory that the device computes in. On the CPU device: ordinary native memory.</summary>
    Device,

    /// <summary>Host memory that the device can copy from and to without the host's help (page-locked for CUDA).</summary>
    PinnedHost,
}
