using System.Runtime.InteropServices;

namespace QApollo.Cuda.Management;

/// <summary>Finds NVIDIA's management library (NVML), which comes with the display driver. That there is none is normal: nothing but its figures is missing.</summary>
internal static class NvmlLibrary
{
    private static readonly string[] Names = OperatingSystem.IsWindows() ? ["nvml.dll"] : ["libnvidia-ml.so.1", "libnvidia-ml.so"];

    /// <param name="path">Only this file; null to search.</param>
    /// <returns>Null for none, and for one that does not start.</returns>
    public static unsafe NvmlTable? Start(string? path)
    {
        foreach (string name in path is null ? Names : [path])
        {
            if (NativeLibrary.TryLoad(name, out nint library))
            {
                var table = new NvmlTable(library);
                return table.Init != null && table.DeviceByPciBusId != null && table.Init() == 0 ? table : null;
            }
        }

        return null;
    }
}
