using QApollo.TestSupport;
using Xunit;

namespace QApollo.Cuda.Tests.Simt;

public class RunOrderSimtTests
{
    /// <summary>A result that depends on which thread runs first betrays a missing barrier.</summary>
    [Fact]
    public void Results_do_not_depend_on_the_order_of_threads()
    {
        using CudaDevice device = SimtLibrary.Default.Open();
        byte[] expected = KernelTour.Run(device);
        foreach (RunOrder order in (RunOrder[])[RunOrder.Descending, RunOrder.Shuffled])
        {
            SimtLibrary.Default.SetOrder(order);
            try
            {
                Compare.BitEqual<byte>(KernelTour.Run(device), expected, order.ToString());
            }
            finally
            {
                SimtLibrary.Default.SetOrder(RunOrder.Ascending);
            }
        }
    }
}
