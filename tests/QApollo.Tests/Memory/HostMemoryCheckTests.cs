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
}
