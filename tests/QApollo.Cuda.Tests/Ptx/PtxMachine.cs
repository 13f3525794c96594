using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using QApollo.Cuda.Tests.Simt;

namespace QApollo.Cuda.Tests.Ptx;

/// <summary>What the machine has counted of a kernel: over all launches since it was loaded.</summary>
/// <param name="Code">PTX instructions of the kernel.</param>
/// <param name="Reached">How many of them some lane has executed.</param>
/// <param name="Unreached">The line of the first instruction of each stretch that none has.</param>
internal sealed record KernelReport(
    string Kernel, long Launches, long Blocks, IReadOnlyDictionary<string, long> Instructions, long Sectors, long LeastSectors, long Wavefronts,
    long LeastWavefronts, int Code, int Reached, IReadOnlyList<int> Unreached);

/// <summary>What launches have cost together.</summary>
/// <param name="Mma">Instructions of tensor cores, among all.</param>
/// <param name="LeastWavefronts">As many as would move the same bytes of shared memory.</param>
/// <param name="LeastSectors">As many as would hold each warp's bytes of global memory.</param>
internal sealed record LaunchCounts(long Mma, long Instructions, long Wavefronts, long LeastWavefronts, long Sectors, long LeastSectors)
{
    public static LaunchCounts operator -(LaunchCounts after, LaunchCounts before) => new(
        after.Mma - before.Mma, after.Instructions - before.Instructions, after.Wavefronts - before.Wavefronts,
        after.LeastWavefronts - before.LeastWavefronts, after.Sectors - before.Sectors, after.LeastSectors - before.LeastSectors);
}

/// <summary>The machine that runs PTX text behind the driver's names.</summary>
internal static unsafe class PtxMachine
{
    private static readonly JsonSerializerOptions s_options = new() { PropertyNameCaseInsensitive = true };

    public static SimtLibrary Library { get; } = new(Repository.PtxLibrary);

    /// <summary>Of all launches that this thread has made.</summary>
    public static LaunchCounts CountsOfThread()
    {
        long* counts = stackalloc long[6];
        nint library = NativeLibrary.Load(Repository.PtxLibrary);
        _ = ((delegate* unmanaged<long*, int>)NativeLibrary.GetExport(library, "ptx_thread_counts"))(counts);
        return new LaunchCounts(counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]);
    }

    public static IReadOnlyList<KernelReport> Report()
    {
        string path = Path.GetTempFileName();
        try
        {
            nint library = NativeLibrary.Load(Repository.PtxLibrary);
            fixed (byte* text = (byte[])[.. Encoding.UTF8.GetBytes(path), 0])
            {
                if (((delegate* unmanaged<byte*, int>)NativeLibrary.GetExport(library, "ptx_report"))(text) != 0)
                {
                    throw new IOException($"{path}: cannot be written");
                }
            }

            return [.. File.ReadLines(path).Select(line => JsonSerializer.Deserialize<KernelReport>(line, s_options)!)];
        }
        finally
        {
            File.Delete(path);
        }
    }
}
