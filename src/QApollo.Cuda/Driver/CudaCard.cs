using System.Runtime.InteropServices;

namespace QApollo.Cuda.Driver;

/// <summary>A GPU as the driver describes it, before anything is created on it.</summary>
/// <param name="Ordinal">Its number, as in `--device cuda:n`.</param>
/// <param name="Handle">The driver's CUdevice.</param>
/// <param name="CapabilityMajor">Compute capability: 8.6 is (8, 6).</param>
/// <param name="TotalBytes">Device memory.</param>
/// <param name="Processors">Streaming multiprocessors.</param>
/// <param name="SharedBytesPerBlock">Shared memory that one block may ask for.</param>
/// <param name="DriverVersion">The newest CUDA version that the driver supports: 11080 is 11.8.</param>
public sealed record CudaCard(
    int Ordinal, int Handle, string Name, int CapabilityMajor, int CapabilityMinor, long TotalBytes, int Processors,
    int SharedBytesPerBlock, int DriverVersion)
{
    /// <summary>"0000:01:00.0", by which other libraries know the card; empty where the driver does not tell.</summary>
    public string PciBusId { get; init; } = string.Empty;

    /// <summary>The kernels are PTX for compute capability 8.0, in the instruction set of CUDA 11.8.</summary>
    private const int NeededDriver = 11080;

    private const int MultiprocessorCount = 16;
    private const int ComputeCapabilityMajor = 75;
    private const int ComputeCapabilityMinor = 76;
    private const int MaxSharedMemoryPerBlockOptIn = 97;

    /// <exception cref="CudaException">There is no such GPU.</exception>
    internal static unsafe CudaCard Read(CudaDriver driver, int ordinal)
    {
        int count = driver.CardCount();
        if (ordinal < 0 || ordinal >= count)
        {
            throw new CudaException($"there is no GPU {ordinal}: the driver sees {count}, numbered from 0");
        }

        int handle;
        driver.Check(driver.Table.DeviceGet(&handle, ordinal), "cuDeviceGet");
        int card = handle;
        byte* name = stackalloc byte[256];
        driver.Check(driver.Table.DeviceGetName(name, 256, handle), "cuDeviceGetName");
        nuint total;
        driver.Check(driver.Table.DeviceTotalMem(&total, handle), "cuDeviceTotalMem");

        const int LongestBusId = 32;
        byte* busId = stackalloc byte[LongestBusId];
        bool hasBusId = driver.Table.DeviceGetPciBusId(busId, LongestBusId, handle) == 0;

        int Attribute(int attribute)
        {
            int value;
            driver.Check(driver.Table.DeviceGetAttribute(&value, attribute, card), "cuDeviceGetAttribute");
            return value;
        }

        return new CudaCard(
            ordinal, card, Marshal.PtrToStringUTF8((nint)name) ?? "", Attribute(ComputeCapabilityMajor), Attribute(ComputeCapabilityMinor),
            (long)total, Attribute(MultiprocessorCount), Attribute(MaxSharedMemoryPerBlockOptIn), driver.Version())
        {
            PciBusId = hasBusId ? Marshal.PtrToStringUTF8((nint)busId) ?? string.Empty : string.Empty,
        };
    }

    /// <summary>The card or its driver is too old: why, and what to do; null when it can be used.</summary>
    public string? Problem => CapabilityMajor < 8
        ? $"{Name} has compute capability {CapabilityMajor}.{CapabilityMinor}; 8.0 or newer is needed (RTX 30 series, A100 and later)"
        : DriverVersion < NeededDriver
            ? $"the NVIDIA driver supports CUDA {VersionText(DriverVersion)}; 11.8 or newer is needed: update the driver to 520 or newer"
            : null;

    /// <summary>"11.8" for 11080.</summary>
    public static string VersionText(int version) => $"{version / 1000}.{version % 1000 / 10}";

    /// <summary>
    /// Device memory that a program may still take, the driver's context included. Of any card: libtorch has kernels for some
    /// that are too old for ours.
    /// </summary>
    /// <param name="driverLibrary">A library with the driver's functions instead of the installed driver.</param>
    /// <exception cref="CudaException">No driver, or no such GPU.</exception>
    public static long FreeBytes(int ordinal, string? driverLibrary = null)
    {
        CudaDriver driver = CudaDriver.Open(driverLibrary);
        using var context = new CudaContext(driver, Read(driver, ordinal));

        // The driver counts after it made a context here.
        return context.MemoryInfo().Free + new CudaProfile().ContextBytes;
    }

    /// <exception cref="CudaException">The card or its driver is too old.</exception>
    internal void RequireSupported()
    {
        if (Problem is { } problem)
        {
            throw new CudaException($"{problem}; or use --device cpu");
        }
    }
}
