using QApollo.Devices;
using QApollo.Torch;

namespace QApollo.Tests.Training;

internal static partial class Engine
{
    /// <summary>What the goldens compute on here.</summary>
    public static IDevice Device() => TorchDevice.OpenCpu(threads: 2);
}
