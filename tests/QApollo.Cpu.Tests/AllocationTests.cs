using QApollo.TestSupport.Contract;
using Xunit;

namespace QApollo.Cpu.Tests;

/// <summary>Nothing else may run beside a test that counts the allocations of all threads.</summary>
[CollectionDefinition(nameof(AllocationTests), DisableParallelization = true)]
[Collection(nameof(AllocationTests))]
public sealed class AllocationTests
{
    private const int Attempts = 10;

    [Fact]
    public void No_operation_allocates_on_any_thread()
    {
        using var device = new CpuDevice(3);
        using var memory = new DeviceMemory(device);
        foreach (Scenario scenario in Scenarios.All(device, memory))
        {
            long least = long.MaxValue;
            for (int attempt = 0; attempt < Attempts && least > 0; attempt++)
            {
                scenario.Run();
                long own = GC.GetAllocatedBytesForCurrentThread();
                long all = GC.GetTotalAllocatedBytes(precise: true);
                scenario.Run();
                all = GC.GetTotalAllocatedBytes(precise: true) - all;
                own = GC.GetAllocatedBytesForCurrentThread() - own;

                // The test runner and the compiler may allocate now and then; an operation that does would do it every time.
                least = Math.Min(least, Math.Max(all, own));
            }

            Assert.True(least == 0, $"{scenario.Name} allocates {least} bytes");
        }
    }
}
