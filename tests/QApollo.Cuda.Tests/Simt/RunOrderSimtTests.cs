using Xunit;

namespace QApollo.Cuda.Tests.Simt;

public class RunOrderSimtTests
{
    [Fact]
    public void Results_do_not_depend_on_the_order_of_threads() => KernelTour.AssertEqualInEveryOrder(SimtLibrary.Default);
}
