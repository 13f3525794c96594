using QApollo.Cpu;
using QApollo.Cuda;
using QApollo.Devices;

namespace QApollo.Cli.Views;

/// <summary>A device in words.</summary>
internal static class DeviceText
{
    public static string Of(IDevice device) => device switch
    {
        CudaDevice cuda => $"cuda:{cuda.Card.Ordinal}, {cuda.Card.Name}",
        { Profile: CpuProfile profile } => $"cpu, {CpuFeatures.ProcessorName}, {profile.Threads} thread{(profile.Threads == 1 ? string.Empty : "s")}, {CpuFeatures.Word(CpuFeatures.Level)}",
        _ => device.Profile.Name,
    };
}
