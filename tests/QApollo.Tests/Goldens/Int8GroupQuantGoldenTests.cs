using QApollo.TestSupport;
using QApollo.TestSupport.Goldens;
using Xunit;

namespace QApollo.Tests.Goldens;

/// <summary>The reference of the official INT8 rule gives the official bits.</summary>
public class Int8GroupQuantGoldenTests
{
    [Theory]
    [MemberData(nameof(GoldenCases.Quantization), MemberType = typeof(GoldenCases))]
    public void Rounding_to_nearest_is_bit_equal(string set, string matrix)
    {
        Int8Golden golden = Int8Golden.Load(set, matrix);
        OfficialQuantized result = OfficialQuantizer.Quantize(golden.Weights, golden.GroupSize);

        Compare.BitEqual<byte>(result.Codes, golden.Codes, "codes");
        Compare.BitEqual<float>(result.Scales, golden.Scales, "scales");
        EqualUpToSignOfZero(result.Zeros, golden.Zeros, "zeros");
        EqualUpToSignOfZero(result.Dequantize(), golden.Dequantized, "dequantized");
    }

    [Theory]
    [MemberData(nameof(GoldenCases.Quantization), MemberType = typeof(GoldenCases))]
    public void Stochastic_rounding_with_the_same_uniforms_is_bit_equal(string set, string matrix)
    {
        Int8Golden golden = Int8Golden.Load(set, matrix);
        OfficialQuantized result = OfficialQuantizer.QuantizeStochastic(golden.Weights, golden.GroupSize, golden.Uniforms);
        float[] scaled = [.. golden.Weights.Select((w, i) => w / result.Scales[i / golden.GroupSize])];

        Compare.BitEqual<byte>(result.Codes, golden.StochasticCodes, "codes");
        Compare.BitEqual<float>(result.Scales, golden.Scales, "scales");
        EqualUpToSignOfZero([.. scaled.Select(MathF.Floor)], golden.Floor, "floor");
        EqualUpToSignOfZero([.. scaled.Select(x => x - MathF.Floor(x))], golden.Probability, "probability");
    }

    [Fact]
    public void A_matrix_that_is_not_whole_groups_is_refused() =>
        Assert.Throws<ArgumentException>(() => OfficialQuantizer.Quantize(new float[33], 32));

    private static void EqualUpToSignOfZero(float[] actual, float[] expected, string what) => Compare.AllClose(actual, expected, 0, 0, what);
}
