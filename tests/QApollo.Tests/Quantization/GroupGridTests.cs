using QApollo.Quantization;
using Xunit;

namespace QApollo.Tests.Quantization;

public class GroupGridTests
{
    [Theory]
    [InlineData(-1f, 1f)]
    [InlineData(1f, 2f)]
    [InlineData(-3f, -2f)]
    [InlineData(0.5f, 0.5f)]
    [InlineData(-1e-8f, 100f)]
    [InlineData(-100f, 1e-8f)]
    [InlineData(1e-30f, 3e-30f)]
    [InlineData(-1e30f, 2e30f)]
    public void No_value_of_the_range_falls_off_the_grid(float min, float max)
    {
        GroupGrid grid = GroupGrid.FromRange(min, max);
        Assert.InRange((min / grid.Scale) + grid.ZeroPoint, 0f, 255f);
        Assert.InRange((max / grid.Scale) + grid.ZeroPoint, 0f, 255f);
        Assert.Equal(grid.Scale, BFloat.ToSingle(BFloat.FromSingle(grid.Scale)));
    }

    [Fact]
    public void An_all_zero_group_is_exactly_zero()
    {
        GroupGrid grid = GroupGrid.FromRange(0, 0);
        Assert.Equal(0f, (grid.ZeroPoint - grid.ZeroPoint) * grid.Scale);
        Assert.Equal(new GroupGrid(1f, 0), grid);
    }

    [Fact]
    public void Rounding_up_to_bfloat16_never_lowers_and_keeps_what_is_one()
    {
        var random = new Random(1);
        for (int i = 0; i < 10_000; i++)
        {
            float value = (float)Math.Exp((random.NextDouble() * 60) - 30);
            float up = BFloat.RoundUp(value);
            Assert.InRange(up, value, value * 1.0079f);
            Assert.Equal(up, BFloat.RoundUp(up));
            Assert.Equal(up, BFloat.ToSingle(BFloat.FromSingle(up)));
        }
    }

    [Fact]
    public void NaN_stays_NaN_in_bfloat16() => Assert.Equal((ushort)0x7FFF, BFloat.FromSingle(float.NaN));
}
