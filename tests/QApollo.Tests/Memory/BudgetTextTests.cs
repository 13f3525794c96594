using QApollo.Memory;
using Xunit;

namespace QApollo.Tests.Memory;

public class BudgetTextTests
{
    [Theory]
    [InlineData("12GiB", 12L << 30)]
    [InlineData(" 1.5 gib ", 3L << 29)]
    [InlineData("8GB", 8_000_000_000)]
    [InlineData("1MiB", 1 << 20)]
    public void Reads_sizes(string text, long bytes) => Assert.Equal(bytes, Parse(text));

    [Theory]
    [InlineData("rtx-3060-12gb")]
    [InlineData("RTX-3060")]
    public void Reads_cards_and_leaves_the_driver_its_share(string text) => Assert.InRange(Parse(text), 11L << 30, (12L << 30) - 1);

    [Fact]
    public void Auto_is_what_is_free() => Assert.Equal(12_345, BudgetText.Parse("auto", "--budget", () => 12_345));

    [Theory]
    [InlineData("12", "has no unit; write 12GiB")]
    [InlineData("1.5", "has no unit")]
    [InlineData("12GiB12", "is no size and no known card")]
    [InlineData("-3GiB", "is not a positive size")]
    [InlineData("1 KiB", "too little")]
    [InlineData("0GiB", "too little")]
    [InlineData("10 PiB", "more memory than there is")]
    [InlineData("1e300GiB", "is no size")]
    [InlineData("NaNGiB", "is no size")]
    [InlineData("", "is no size")]
    [InlineData("rtx-9999", "cards are rtx-3060-12gb, rtx-3070-8gb, ")]
    public void Refuses_what_is_no_budget(string text, string message)
    {
        var exception = Assert.Throws<UsageException>(() => Parse(text));
        Assert.StartsWith("--budget: ", exception.Message, StringComparison.Ordinal);
        Assert.Contains(message, exception.Message, StringComparison.Ordinal);
    }

    private static long Parse(string text) => BudgetText.Parse(text, "--budget", () => throw new InvalidOperationException("nothing asked for what is free"));
}
