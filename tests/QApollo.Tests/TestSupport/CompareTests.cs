using QApollo.TestSupport;
using Xunit;
using Xunit.Sdk;

namespace QApollo.Tests.TestSupport;

public class CompareTests
{
    [Fact]
    public void Values_within_the_bound_pass_and_the_bound_itself_is_allowed()
    {
        Compare.AllClose([1f, -2f, 0f], new double[] { 1.5, -2.0, 0.25 }, absolute: 0.5, relative: 0, "absolute");
        Compare.AllClose([1f, -4f], new float[] { 1.25f, -5f }, absolute: 0, relative: 0.25, "relative");
        Compare.AllClose([0f], new float[] { -0f }, absolute: 0, relative: 0, "signed zeros are equal numbers");
    }

    [Fact]
    public void A_value_outside_the_bound_fails()
    {
        Fails(() => Compare.AllClose([1f, 1.6f], new double[] { 1, 1 }, absolute: 0.5, relative: 0, "x"));
        Fails(() => Compare.AllClose([1f, 1.6f], new float[] { 1, 1 }, absolute: 0, relative: 0.5, "x"));
        Fails(() => Compare.AllClose([1.0, 1.6], new double[] { 1, 1 }, absolute: 0.5, relative: 0, "x"));
        Fails(() => Compare.AllClose([1.0, 1.6], new float[] { 1, 1 }, absolute: 0.5, relative: 0, "x"));
    }

    [Theory]
    [InlineData(float.NaN, 1f)]
    [InlineData(1f, float.NaN)]
    [InlineData(float.NaN, float.NaN)]
    [InlineData(float.PositiveInfinity, 1f)]
    [InlineData(1f, float.NegativeInfinity)]
    [InlineData(float.PositiveInfinity, float.PositiveInfinity)]
    public void Values_that_are_not_finite_fail_whatever_the_tolerance(float actual, float expected)
    {
        Fails(() => Compare.AllClose([0f, actual], new float[] { 0f, expected }, 1e30, 1, "x"));
        Fails(() => Compare.AllClose([0f, actual], new double[] { 0, expected }, 1e30, 1, "x"));
        Fails(() => Compare.AllClose([0.0, actual], new double[] { 0, expected }, 1e30, 1, "x"));
    }

    [Fact]
    public void Another_length_fails()
    {
        Fails(() => Compare.AllClose([1f, 2f], new float[] { 1f }, 1, 1, "x"));
        Fails(() => Compare.AllClose([1f], new double[] { 1, 2 }, 1, 1, "x"));
        Fails(() => Compare.BitEqual<byte>([1], [1, 2], "x"));
    }

    [Fact]
    public void Nothing_to_compare_fails()
    {
        Fails(() => Compare.AllClose(Array.Empty<float>(), Array.Empty<float>(), 1, 1, "x"));
        Fails(() => Compare.AllClose(Array.Empty<float>(), Array.Empty<double>(), 1, 1, "x"));
        Fails(() => Compare.BitEqual<int>([], [], "x"));
    }

    [Theory]
    [InlineData(-1.0, 0.0)]
    [InlineData(0.0, -1.0)]
    [InlineData(double.NaN, 0.0)]
    [InlineData(0.0, double.PositiveInfinity)]
    public void Tolerances_that_no_comparison_could_fail_are_refused(double absolute, double relative) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Compare.AllClose([1f], new float[] { 1f }, absolute, relative, "x"));

    [Fact]
    public void The_message_names_the_worst_entry_both_values_and_the_error_in_ulps()
    {
        string message = Fails(() => Compare.AllClose([1.25f, 1.5f, 1f], new float[] { 1f, 1f, 1f }, 0.125, 0, "logits"));

        Assert.Equal("logits: 2 of 3 entries out of bounds; worst [1]: actual 1.5, expected 1, error 0.5 = 4.194E+06 ulps, allowed 0.125", message);
    }

    [Fact]
    public void An_entry_that_is_not_finite_is_worse_than_any_finite_one()
    {
        string message = Fails(() => Compare.AllClose([1e30f, 0f, float.NaN], new float[] { 0f, 0f, 0f }, 0, 0, "x"));

        Assert.Contains("worst [2]: actual NaN", message, StringComparison.Ordinal);
    }

    [Fact]
    public void BitEqual_tells_signed_zeros_apart_and_accepts_the_same_NaN()
    {
        Compare.BitEqual<float>([float.NaN, -0f, 3f], [float.NaN, -0f, 3f], "same");
        string message = Fails(() => Compare.BitEqual<float>([1f, 0f, 2f], [1f, -0f, 3f], "codes"));

        Assert.Equal("codes: 2 of 3 entries differ; first [1]: actual 0 (0x00000000), expected -0 (0x80000000)", message);
    }

    [Fact]
    public void RelativeL2_is_the_norm_of_the_difference_over_the_norm_of_the_expected()
    {
        Assert.Equal(0.5, Compare.RelativeL2<float>([3f, 6.5f], [3f, 4f]), 12);
        Assert.True(double.IsNaN(Compare.RelativeL2<double>([double.NaN, 1], [1, 1])));
    }

    private static string Fails(Action comparison) => Assert.ThrowsAny<XunitException>(comparison).Message;
}
