using QApollo.Cpu;
using QApollo.Devices;

namespace QApollo.Tests.Training;

internal static partial class Engine
{
    /// <summary>What tests that other devices share compute on.</summary>
    public static IDevice Device() => Cpu();

    public static CpuDevice Cpu() => new(threads: 2);
}
