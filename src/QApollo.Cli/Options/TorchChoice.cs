using System.Globalization;
using QApollo.Devices;
#if TORCH
using QApollo.Torch;
#endif

namespace QApollo.Cli.Options;

/// <summary>
/// The Torch device that --device names: `torch` for the CPU, `torch:cuda`, `torch:cuda:1`. Only a program that was built
/// with -p:Torch=... has it; others say how to get it.
/// </summary>
/// <param name="Ordinal">Of the CUDA device; -1 for the CPU.</param>
internal sealed record TorchChoice(int Ordinal)
{
    /// <summary>Null where the text names no Torch device.</summary>
    public static TorchChoice? Parse(string text)
    {
        string[] parts = text.Split(':');
        if (parts[0] != "torch" || parts.Length > 3 || (parts.Length > 1 && parts[1] != "cuda"))
        {
            return null;
        }

        int ordinal = parts.Length == 1 ? -1 : 0;
        return parts.Length < 3 || int.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out ordinal) ? new TorchChoice(ordinal) : null;
    }

    public string Name => Ordinal < 0 ? "torch" : string.Create(CultureInfo.InvariantCulture, $"torch:cuda:{Ordinal}");

#if TORCH
    public DeviceProfile Profile => new TorchProfile(isCuda: Ordinal >= 0);

    /// <param name="folder">Of libtorch; null for the one beside the program.</param>
    /// <exception cref="TorchException">libtorch is absent, of another version, or has no CUDA.</exception>
    public IDevice Open(int threads, string? folder) =>
        Ordinal < 0 ? TorchDevice.OpenCpu(threads, folder) : TorchDevice.OpenCuda(Ordinal, folder);
#else
    private const string Absent =
        "this program was built without the Torch device: build it with -p:Torch=cpu, cuda-windows, cuda-linux, or external for a libtorch that you have (docs/torch.md); cpu and cuda need nothing more";

    /// <exception cref="UsageException">Always.</exception>
    public DeviceProfile Profile => throw new UsageException($"--device {Name}: {Absent}");

    /// <exception cref="UsageException">Always.</exception>
    public IDevice Open(int threads, string? folder) => throw new UsageException($"--device {Name}: {Absent}");
#endif
}
