using QApollo.Cli.Views;
using Xunit;

namespace QApollo.Cli.Tests.Views;

public class SparklineTests
{
    [Fact]
    public void A_ramp_rises_through_all_levels_of_all_lines() => Assert.Equal(
        ["        ▁▂▃▄▅▆▇█", "▁▂▃▄▅▆▇█████████"],
        Sparkline.Draw([.. Enumerable.Range(0, 16).Select(i => (double)i)], width: 16, height: 2, unicode: true));

    [Fact]
    public void Few_values_stretch_and_many_are_averaged()
    {
        Assert.Equal(["▁▁▁███"], Sparkline.Draw([1, 2], 6, 1, unicode: true));
        Assert.Equal(["▁█"], Sparkline.Draw([1, 1, 1, 3, 3, 3], 2, 1, unicode: true));
    }

    [Fact]
    public void Equal_values_make_a_line_in_the_middle() =>
        Assert.Equal(["    ", "████"], Sparkline.Draw([7, 7], 4, 2, unicode: true));

    [Fact]
    public void What_is_no_number_leaves_a_gap() =>
        Assert.Equal(["▁ █"], Sparkline.Draw([0, double.NaN, 1], 3, 1, unicode: true));

    [Fact]
    public void Nothing_is_blank_and_has_no_range()
    {
        Assert.Equal(["   "], Sparkline.Draw([], 3, 1, unicode: true));
        Assert.Equal((0, 0), Sparkline.Range([double.NaN]));
    }

    [Fact]
    public void Plain_characters_where_blocks_are_missing() => Assert.Equal([".:|#"], Sparkline.Draw([0, 1, 2, 3], 4, 1, unicode: false));
}
