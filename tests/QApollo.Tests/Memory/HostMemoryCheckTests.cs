using QApollo.Memory;
using Xunit;

namespace QApollo.Tests.Memory;

public class HostMemoryCheckTests
{
    [Fact]
    public void More_than_the_machine_has_is_refused_with_what_to_do()
    {
        HostMemoryCheck.RequirePinned(1);
        string message = Assert.Throws<InsufficientMemoryException>(() => HostMemoryCheck.RequirePinned(1L << 52)).Message;
        Assert.Contains("of page-locked host memory are needed, and this machine has ", message, StringComparison.Ordinal);
        Assert.Contains("--layers disk", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void A_device_that_gets_no_memory_says_whether_the_machine_or_a_limit_is_too_small()
    {
        HostMemoryCheck.Require("the CPU device", 1);
        string machine = Assert.Throws<InsufficientMemoryException>(() => HostMemoryCheck.Require("the CPU device", 1L << 52)).Message;
        Assert.StartsWith("the CPU device was asked for ", machine, StringComparison.Ordinal);
        Assert.Contains("for this process: --budget auto makes a run fit", machine, StringComparison.Ordinal);

        string limit = HostMemoryCheck.Refused("the Torch device", 1 << 20, new InsufficientMemoryException()).Message;
        Assert.StartsWith("the Torch device was asked for 1.00 MiB; the machine has ", limit, StringComparison.Ordinal);
        Assert.Contains("but the system refuses: raise the limit (ulimit -v)", limit, StringComparison.Ordinal);
        Assert.DoesNotContain("--budget auto", limit, StringComparison.Ordinal);
    }
}
