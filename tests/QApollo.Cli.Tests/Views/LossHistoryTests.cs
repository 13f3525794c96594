using QApollo.Cli.Views;
using Xunit;

namespace QApollo.Cli.Tests.Views;

public class LossHistoryTests
{
    [Fact]
    public void A_short_run_is_kept_as_it_is()
    {
        var history = new LossHistory();
        history.Add(3);
        history.Add(2);
        Assert.Equal([3, 2], history.ToArray());
    }

    [Fact]
    public void A_long_run_stays_bounded_keeps_its_mean_and_allocates_nothing()
    {
        var history = new LossHistory();
        history.Add(0);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int step = 1; step < 1 << 16; step++)
        {
            history.Add(step);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        double[] curve = history.ToArray();
        Assert.InRange(curve.Length, 256, 511);
        Assert.Equal(((1 << 16) - 1) / 2.0, curve.Average(), 6);
        Assert.Equal(curve.Order(), curve);
    }
}
