using System.Globalization;
using System.Runtime.InteropServices;
using QApollo.Files;

namespace QApollo.Diagnostics;

/// <summary>What the runtime tells of the machine, whatever its devices are.</summary>
public static class MachineFindings
{
    /// <param name="freeBytes">Memory that is free now.</param>
    /// <param name="outputFolder">Where runs go; it need not exist yet.</param>
    public static IEnumerable<Finding> Of(long freeBytes, string outputFolder)
    {
        yield return new Finding("operatingSystem", "operating system", $"{RuntimeInformation.OSDescription} ({RuntimeInformation.OSArchitecture})");
        yield return new Finding("runtime", "runtime", $"{RuntimeInformation.FrameworkDescription} ({RuntimeInformation.ProcessArchitecture})");
        yield return new Finding("cores", "cores for this process", Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture), Environment.ProcessorCount);
        yield return Finding.OfBytes("memoryTotalBytes", "memory for this process", GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        yield return Finding.OfBytes("memoryFreeBytes", "memory, free", freeBytes);
        yield return new Finding("outputFolder", "folder of runs", outputFolder);
        if (DiskSpace.Free(outputFolder) is { } free)
        {
            yield return Finding.OfBytes("diskFreeBytes", "disk space there, free", free);
        }
    }
}
