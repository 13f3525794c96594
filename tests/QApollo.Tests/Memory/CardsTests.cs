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

    /// <summary>Both figures are those of a link without its packets' headers times 256 / 280: 15.75 GB/s for 3.0 x16 and 4.0 x8, twice that a step up.</summary>
    [Theory]
    [InlineData("rtx-3060-12gb", "PCIe 4.0 x16", 31.51)]
    [InlineData("rtx-4060-laptop-8gb", "PCIe 4.0 x8", 15.75)]
    [InlineData("rtx-4070-12gb", "PCIe 4.0 x16", 31.51)]
    [InlineData("rtx-5060-ti-16gb", "PCIe 5.0 x8", 31.51)]
    [InlineData("rtx-5090-32gb", "PCIe 5.0 x16", 63.02)]
    public void Links_are_the_published_ones(string name, string link, double gigabytes)
    {
        Card card = Cards.TryFind(name)!;
        Assert.Equal(link, card.Link.ToString());
        Assert.InRange(card.Link.BytesPerSecond / 1e9, gigabytes * 256 / 280 - 0.01, gigabytes * 256 / 280 + 0.01);
    }

    [Fact]
    public void Names_are_distinct_with_and_without_their_memory()
    {
        Assert.Equal(17, Cards.All.Select(card => card.Name[..card.Name.LastIndexOf('-')]).Distinct().Count());
        Assert.All(Cards.All, card => Assert.Same(card, Cards.TryFind(card.Name[..card.Name.LastIndexOf('-')])));
    }

    [Theory]
    [InlineData("NVIDIA GeForce RTX 3060", "rtx-3060-12gb")]
    [InlineData("NVIDIA GeForce RTX 4070", "rtx-4070-12gb")]
    [InlineData("NVIDIA GeForce RTX 4070 Ti SUPER", "rtx-4070-ti-super-16gb")]
    [InlineData("NVIDIA GeForce RTX 4070 Ti", null)]
    [InlineData("NVIDIA GeForce RTX 4070 SUPER", null)]
    [InlineData("NVIDIA GeForce RTX 4090 Laptop GPU", null)]
    [InlineData("NVIDIA GeForce RTX 4090 D", null)]
    [InlineData("NVIDIA A100-SXM4-80GB", "a100-80gb")]
    [InlineData("NVIDIA H100 80GB HBM3", "h100-80gb")]
    [InlineData("NVIDIA H200", "h200-141gb")]
    [InlineData("AMD EPYC 9B45", null)]
    public void A_device_is_known_by_its_drivers_name(string device, string? card) => Assert.Equal(card, Cards.TryFindByDeviceName(device)?.Name);

    /// <summary>GeForce: 512 FLOP for each clock of a multiprocessor, A100 2048, H100 and H200 4096.</summary>
    [Fact]
    public void Processors_and_clock_make_the_peak() => Assert.All(
        Cards.All, card => Assert.InRange(card.BFloatFlops / (card.Processors * card.ClockHertz) / (card.Name[0] switch { 'r' => 512, 'a' => 2048, _ => 4096 }), 0.99, 1.01));
}
