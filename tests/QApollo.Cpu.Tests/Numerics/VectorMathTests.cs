using System.Runtime.Intrinsics.X86;
using QApollo.Cpu.Numerics;
using QApollo.TestSupport;
using QApollo.TestSupport.Contract;
using Xunit;

namespace QApollo.Cpu.Tests.Numerics;

public sealed unsafe class VectorMathTests
{
    public static TheoryData<string> Widths => ["512", "vector", "scalar"];

    [Theory]
    [MemberData(nameof(Widths))]
    public void Exponential_is_accurate_over_the_whole_range(string width)
    {
        double[] x = new Samples(1).Uniform(200_000, -87.3, 88.7);
        float[] single = Array.ConvertAll(x, v => (float)v);
        float[] actual = Array.ConvertAll(single, v => Exp(width, v));
        Compare.AllClose(actual, Array.ConvertAll(single, v => Math.Exp(v)), 0, 2.4e-7, "exp");
    }

    [Theory]
    [InlineData(0f, 1f)]
    [InlineData(-105f, 0f)]
    [InlineData(-1e30f, 0f)]
    [InlineData(float.NegativeInfinity, 0f)]
    [InlineData(89.1f, float.PositiveInfinity)]
    [InlineData(1e30f, float.PositiveInfinity)]
    [InlineData(float.PositiveInfinity, float.PositiveInfinity)]
    [InlineData(float.NaN, float.NaN)]
    public void Exponential_of_special_values(float x, float expected)
    {
        foreach (string width in (string[])["512", "vector", "scalar"])
        {
            Assert.Equal(expected, Exp(width, x));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(17)]
    [InlineData(100)]
    [InlineData(5461)]
    public void Dot_and_sums_cover_every_element(int count)
    {
        float[] a = Array.ConvertAll(new Samples(1).Normals(count + 1), v => (float)v);
        float[] b = Array.ConvertAll(new Samples(2).Normals(count + 1), v => (float)v);
        double dot = 0, sum = 0, squares = 0;
        for (int i = 0; i < count; i++)
        {
            dot += (double)a[i] * b[i];
            sum += a[i];
            squares += (double)a[i] * a[i];
        }

        fixed (float* pa = a, pb = b)
        {
            double bound = 1e-6 * Math.Sqrt(count + 1);
            Compare.AllClose([VectorMath.Dot(pa, pb, count)], [dot], bound, 1e-6, "dot");
            Compare.AllClose([VectorMath.Sum(pa, count)], [sum], bound, 1e-6, "sum");
            Compare.AllClose([VectorMath.SumOfSquares(pa, count)], [squares], bound, 1e-6, "sum of squares");
        }
    }

    private static float Exp(string width, float x)
    {
        float* result = stackalloc float[16];
        switch (width)
        {
            case "512" when Avx512F.IsSupported:
                VectorMath.Exp(Lanes512.Create(x)).Store(result);
                break;
            case "scalar":
                VectorMath.Exp(LanesScalar.Create(x)).Store(result);
                break;
            default:
                VectorMath.Exp(LanesVector.Create(x)).Store(result);
                break;
        }

        return result[0];
    }
}
