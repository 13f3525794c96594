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
        if (TryLoad(path, out nint library))
        {
            return library;
        }

        throw new CudaException(path is null
            ? $"no CUDA driver: {Names[0]} was not found; install the NVIDIA display driver, or use --device cpu"
            : $"no CUDA driver: {path} could not be loaded");
    }

    /// <summary>As <see cref="Load"/>; false where there is none.</summary>
    public static bool TryLoad(string? path, out nint library)
    {
        library = 0;
        foreach (string name in path is null ? Names : [path])
        {
            if (NativeLibrary.TryLoad(name, out library))
            {
                return true;
            }
        }

        return false;
    }
}
