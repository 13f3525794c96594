using System.Runtime.InteropServices;

namespace QApollo.Cuda.Driver;

/// <summary>Finds the driver's library: it comes with the display driver, nothing else needs to be installed.</summary>
internal static class DriverLibrary
{
    private static readonly string[] Names = OperatingSystem.IsWindows() ? ["nvcuda.dll"] : ["libcuda.so.1", "libcuda.so"];

    /// <param name="path">An explicit library instead of the system's driver, as the emulator of the tests.</param>
    /// <exception cref="CudaException">There is none.</exception>
    public static nint Load(string? path)
    {
        if (path != null)
        {
            return NativeLibrary.TryLoad(path, out nint explicitLibrary)
                ? explicitLibrary
                : throw new CudaException($"no CUDA driver: {path} could not be loaded");
        }

        foreach (string name in Names)
        {
            if (NativeLibrary.TryLoad(name, out nint library))
            {
                return library;
            }
        }

        throw new CudaException($"no CUDA driver: {Names[0]} was not found; install the NVIDIA display driver, or use --device cpu");
    }
}
