using QApollo.Cpu.Gemm;
using QApollo.Devices;
using QApollo.TestSupport;
using QApollo.TestSupport.Contract;
using Xunit;

namespace QApollo.Cpu.Tests;

public sealed class CpuDeviceTests
{
    public static TheoryData<string> Kernels => ["avx512", "avx2", "portable"];

    /// <summary>Every operation twice, so that what the first call left behind is input of the second.</summary>
    [Theory]
    [MemberData(nameof(Kernels))]
    public void Results_are_the_same_for_any_number_of_threads(string kernel)
    {
        Dictionary<string, byte[]> expected = Results(1, kernel);
        foreach (int threads in (int[])[2, 3, 7])
        {
            foreach ((string name, byte[] bytes) in Results(threads, kernel))
            {
                Compare.BitEqual<byte>(bytes, expected[name], $"{name}, {threads} threads");
            }
        }
    }

    [Fact]
    public void Sizes_depend_on_the_number_of_threads_only()
    {
        using var wide = new CpuDevice(3, Microkernel.Avx512);
        using var narrow = new CpuDevice(3, Microkernel.Portable);
        var request = new WorkspaceRequest(new AttentionShape(2, 100, 100, 4, 2, 48), 192, 1000);
        Assert.Equal(wide.Profile.WorkspaceBytes(request), narrow.Profile.WorkspaceBytes(request));
        Assert.Equal(new CpuProfile(3).WorkspaceBytes(request), wide.Profile.WorkspaceBytes(request));
        Assert.Equal(32 * 17 * 4, wide.Profile.ExpandedWeightBytes(5, 17, WeightUse.Forward));
        Assert.Equal(32 * 5 * 4, narrow.Profile.ExpandedWeightBytes(5, 17, WeightUse.InputGradient));
    }

    [Fact]
    public void The_number_of_threads_is_checked()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new CpuDevice(-1));
        using var device = new CpuDevice();
        Assert.Equal(Environment.ProcessorCount, ((CpuProfile)device.Profile).Threads);
    }

    private static Dictionary<string, byte[]> Results(int threads, string kernel)
    {
        using var device = new CpuDevice(threads, kernel switch
        {
            "avx512" => Microkernel.Avx512,
            "avx2" => Microkernel.Avx2,
            _ => Microkernel.Portable,
        });
        using var memory = new DeviceMemory(device);
        var results = new Dictionary<string, byte[]>();
        foreach (Scenario scenario in Scenarios.All(device, memory))
        {
            scenario.Run();
            scenario.Run();
            results.Add(scenario.Name, [.. scenario.Outputs.SelectMany(memory.Bytes)]);
        }

        return results;
    }
}
