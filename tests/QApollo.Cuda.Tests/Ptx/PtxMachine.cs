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

/// <summary>The machine that runs PTX text behind the driver's names.</summary>
internal static unsafe class PtxMachine
{
    private static readonly JsonSerializerOptions s_options = new() { PropertyNameCaseInsensitive = true };

    public static SimtLibrary Library { get; } = new(Repository.PtxLibrary);

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
