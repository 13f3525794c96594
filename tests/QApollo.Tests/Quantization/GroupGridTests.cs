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

    [Theory]
    [InlineData(-1f, 1f)]
    [InlineData(1f, 2f)]
    [InlineData(-3f, -2f)]
    [InlineData(0.5f, 0.5f)]
    [InlineData(-1e-8f, 100f)]
    [InlineData(1e-30f, 3e-30f)]
    [InlineData(-9.6e-4f, 9.7e-4f)]
    [InlineData(-1e-4f, 3e-5f)]
    [InlineData(0f, 1e-7f)]
    [InlineData(-8e6f, 1f)]
    public void A_symmetric_grid_has_its_zero_at_128_and_a_scale_that_binary16_holds(float min, float max)
    {
        GroupGrid grid = GroupGrid.FromRange(min, max, ZeroPointRule.Symmetric);
        Assert.Equal(128, grid.ZeroPoint);
        Assert.InRange((min / grid.Scale) + grid.ZeroPoint, 1f, 255f);
        Assert.InRange((max / grid.Scale) + grid.ZeroPoint, 1f, 255f);
        Assert.Equal(grid.Scale, BFloat.ToSingle(BFloat.FromSingle(grid.Scale)));
        Assert.Equal(grid.Scale, (float)(Half)grid.Scale);
    }

    /// <summary>No scale is larger than bfloat16 and binary16 make it: rounded up by a step of the coarser of the two at most.</summary>
    [Fact]
    public void Symmetric_scales_of_all_magnitudes_are_both_bfloat16_and_binary16()
    {
        var random = new Random(2);
        for (int i = 0; i < 100_000; i++)
        {
            float magnitude = (float)Math.Exp((random.NextDouble() * 35) - 20);
            float exact = magnitude / 127;
            float scale = GroupGrid.SymmetricFromRange(-magnitude, magnitude / 3).Scale;
            Assert.Equal(scale, BFloat.ToSingle(BFloat.FromSingle(scale)));
            Assert.Equal(scale, (float)(Half)scale);
            Assert.InRange(scale, exact, Math.Max(exact * 1.0079f, exact + GroupGrid.MinSymmetricScale));
        }
    }

    [Fact]
    public void A_symmetric_group_of_zeros_is_exactly_zero() => Assert.Equal(new GroupGrid(1f, 128), GroupGrid.SymmetricFromRange(0, 0));

    [Fact]
    public void A_grid_is_filled_by_its_range_or_by_the_farther_end_of_a_symmetric_one()
    {
        var grid = new GroupGrid(1f, 128);
        Assert.Equal(100f, grid.Fill(38, 138, ZeroPointRule.Asymmetric));
        Assert.Equal(180f, grid.Fill(38, 138, ZeroPointRule.Symmetric));
        Assert.Equal(200f, grid.Fill(128, 228, ZeroPointRule.Symmetric));
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
