using System.CommandLine;
using System.Globalization;
using QApollo.Cpu;
using QApollo.Cuda;
using QApollo.Devices;

namespace QApollo.GpuCheck.Commands;

/// <summary>--device of every command: cuda, cuda:1, cpu.</summary>
internal static class DeviceOption
{
    /// <summary>Of the CPU device: sums depend on it, so stored losses have one number of threads.</summary>
    private const int CpuThreads = 2;

    public static Option<string> Create() => new("--device") { Description = "cuda, cuda:1 or cpu.", DefaultValueFactory = _ => "cuda" };

    /// <exception cref="UsageException">There is no such device.</exception>
    public static IDevice Open(string text) => text == "cpu" ? new CpuDevice(CpuThreads) : OpenCuda(text);

    /// <inheritdoc cref="Open"/>
    public static CudaDevice OpenCuda(string text)
    {
        string[] parts = text.Split(':');
        string number = parts.Length == 2 ? parts[1] : "0";
        return parts[0] == "cuda" && parts.Length <= 2 && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int ordinal)
            ? CudaDevice.Open(ordinal)
            : throw new UsageException($"--device: '{text}' is not known; it takes cuda, cuda:1 or cpu");
    }
}
