using Xunit;

namespace QApollo.Cuda.Tests.Simt;

public class SimtLibraryTests
{
#if NO_SIMT
    [Fact(Skip = "g++ was not found when the tests were built: the kernels are not proven in this run")]
    public void The_emulator_is_built()
    {
    }
#else
    [Fact]
    public void The_emulator_has_every_kernel_of_the_ptx()
    {
        var entries = Driver.PtxTests.LaunchedKernels.ToDictionary(k => k.Name, k => k.Threads);
        Assert.Equal(entries.OrderBy(e => e.Key), SimtLibrary.Default.Kernels().OrderBy(e => e.Key));
    }
#endif
}
