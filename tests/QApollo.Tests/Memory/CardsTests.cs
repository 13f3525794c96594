using QApollo.Memory;
using Xunit;

namespace QApollo.Tests.Memory;

public class CardsTests
{
    /// <summary>From the tables of the makers' white papers: BF16 with F32 sums and INT8, dense, in TFLOP/s and TOP/s.</summary>
    [Theory]
    [InlineData("rtx-3070-8gb", 40.6, 162.6)]
    [InlineData("rtx-3080-10gb", 59.5, 238)]
    [InlineData("rtx-3090-24gb", 71.2, 284.7)]
    [InlineData("rtx-4080-16gb", 97.5, 389.9)]
    [InlineData("rtx-4090-24gb", 165.2, 660.6)]
    [InlineData("rtx-5070-12gb", 61.7, 246.9)]
    [InlineData("rtx-5080-16gb", 112.6, 450.2)]
    [InlineData("rtx-5090-32gb", 209.5, 838)]
    public void Products_of_processors_and_clock_are_the_published_peaks(string name, double teraFlops, double teraOps)
    {
        Card card = Cards.TryFind(name)!;
        Assert.InRange(card.BFloatFlops / 1e12, teraFlops - 0.1, teraFlops + 0.1);
        Assert.InRange(card.Int8Ops / 1e12, teraOps - 0.3, teraOps + 0.3);
    }

    [Fact]
    public void Names_are_distinct_with_and_without_their_memory()
    {
        Assert.Equal(16, Cards.All.Select(card => card.Name[..card.Name.LastIndexOf('-')]).Distinct().Count());
        Assert.All(Cards.All, card => Assert.Same(card, Cards.TryFind(card.Name[..card.Name.LastIndexOf('-')])));
    }
}
