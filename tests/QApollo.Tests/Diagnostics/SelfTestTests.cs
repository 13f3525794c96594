using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Diagnostics;
using QApollo.Tests.Training;
using Xunit;

namespace QApollo.Tests.Diagnostics;

/// <summary>The self-test passes on a device that is right, and fails on one that is not.</summary>
public class SelfTestTests
{
    [Fact]
    public void The_CPU_device_trains_as_it_always_did()
    {
        using CpuDevice device = Engine.Cpu();
        IReadOnlyList<SelfTestCheck> checks = SelfTest.Run(device, reference: null);
        Assert.Equal(2, checks.Count);
        Assert.All(checks, check => Assert.True(check.Passed, $"{check.Name}: off by {check.Difference}"));

        // Other vector instructions differ in the last bits only.
        Assert.All(checks, check => Assert.InRange(check.Difference, 0, 1e-5));
    }

    [Fact]
    public void A_device_equals_itself()
    {
        using CpuDevice device = Engine.Cpu(), reference = Engine.Cpu();
        Assert.All(SelfTest.Run(device, reference), check => Assert.Equal(0, check.Difference));
    }

    [Theory]
    [InlineData("linear forward", "product, forward")]
    [InlineData("linear weight gradient", "product, weight gradient")]
    [InlineData("attention backward", "attention, backward")]
    [InlineData("swiglu backward", "SwiGLU, backward")]
    [InlineData("cross-entropy forward", "cross-entropy")]
    [InlineData("apply update", "INT8 update")]
    public void An_operation_that_reads_wrong_values_is_found(string operation, string check)
    {
        using CpuDevice device = Engine.Cpu(), reference = Engine.Cpu();
        using var faulty = new TracingDevice(device.Profile, new Spoiler(device, operation), device);
        IReadOnlyList<SelfTestCheck> checks = SelfTest.Run(faulty, reference);
        Assert.False(checks.Single(found => found.Name == check).Passed);
        Assert.False(checks.Single(found => found.Name == "training, losses").Passed);
        Assert.True(checks.Single(found => found.Name == "APOLLO projection").Passed);
    }

    /// <summary>Overwrites the first operand of one operation before it runs.</summary>
    private sealed class Spoiler(IDevice device, string spoiled) : IOperationObserver
    {
        public void OnOperation(string operation, ReadOnlySpan<Access> accesses)
        {
            if (operation == spoiled)
            {
                device.Fill(accesses[0].Tensor, 1f);
            }
        }
    }
}
