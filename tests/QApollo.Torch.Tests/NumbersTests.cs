using TorchSharp;
using Xunit;

namespace QApollo.Torch.Tests;

public sealed class NumbersTests
{
    /// <summary>Also the factor 1 of a sum, which TorchSharp makes a number of; freed in the call it would be read as another one.</summary>
    [Fact]
    public async Task Numbers_outlive_their_call_whenever_finalizers_run()
    {
        const int Sums = 20_000;
        using torch.Tensor sum = torch.zeros(1, torch.ScalarType.Int64), other = torch.ones(1, torch.ScalarType.Int64);
        using var done = new CancellationTokenSource();
        Task collector = Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
            {
                GC.Collect(0);
                GC.WaitForPendingFinalizers();
            }
        });
        for (int i = 0; i < Sums; i++)
        {
            sum.Add(other).Add(2L);
        }

        await done.CancelAsync();
        await collector;
        Assert.Equal(3L * Sums, sum.item<long>());
    }
}
