using QApollo.Devices;
using QApollo.TestSupport.Oracles;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>What SCALE, SinkGD and RACS do between a gradient and its update.</summary>
public abstract class NormalizationContract : DeviceContract
{
    public static TheoryData<int, int> Shapes => new()
    {
        { 1, 1 }, { 3, 17 }, { 17, 3 }, { 64, 64 }, { 37, 64 }, { 130, 344 }, { 300, 1365 }, { 1365, 33 }, { 96, 4096 }, { 2048, 96 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Squares_are_summed_over_rows_or_columns(int m, int n)
    {
        UseWorkspace(m, n);
        foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
        {
            Operand values = Memory.Upload(new Samples(m + n).Normals(m * n, 0.01), dtype, m, n);
            foreach (ChannelAxis axis in (ChannelAxis[])[ChannelAxis.Rows, ChannelAxis.Columns])
            {
                (int count, int summed) = axis == ChannelAxis.Rows ? (m, n) : (n, m);
                Operand weights = Memory.Upload(new Samples(count).Uniform(summed, 0, 100), DType.F32, 1, summed);
                Tensor sums = Memory.Zeros(DType.F32, 1, count);
                Device.Fill(sums, float.NaN);
                Device.SumSquares(values.Tensor, axis, weights.Tensor, sums);
                Compare.AllClose(Memory.Floats(sums), NormalizationOracle.SumSquares(values.Values, m, n, axis, weights.Values), 0, 4e-6, $"weighted, {axis}, {dtype}");
                Device.SumSquares(values.Tensor, axis, default, sums);
                Compare.AllClose(Memory.Floats(sums), NormalizationOracle.SumSquares(values.Values, m, n, axis, null), 0, 4e-6, $"{axis}, {dtype}");
            }
        }
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Sums_show_what_is_not_finite(double bad)
    {
        UseWorkspace(20, 70);
        double[] values = new Samples(1).Normals(20 * 70);
        values[3 * 70 + 5] = bad;
        Tensor matrix = Memory.Upload(values, DType.F32, 20, 70).Tensor;
        Tensor rows = Memory.Zeros(DType.F32, 1, 20), columns = Memory.Zeros(DType.F32, 1, 70);
        Device.SumSquares(matrix, ChannelAxis.Rows, default, rows);
        Device.SumSquares(matrix, ChannelAxis.Columns, default, columns);
        Assert.Equal([3], Memory.Floats(rows).ToArray().Index().Where(sum => !float.IsFinite(sum.Item)).Select(sum => sum.Index));
        Assert.Equal([5], Memory.Floats(columns).ToArray().Index().Where(sum => !float.IsFinite(sum.Item)).Select(sum => sum.Index));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Rows_are_scaled(int m, int n)
    {
        foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
        {
            Operand values = Memory.Upload(new Samples(m).Normals(m * n), dtype, m, n);
            Operand factors = Memory.Upload(new Samples(n).Uniform(m, -3, 3), DType.F32, 1, m);
            Device.ScaleRows(values.Tensor, factors.Tensor);
            double[] expected = [.. values.Values.Select((value, at) => value * factors.Values[at / n])];
            Compare.AllClose(Memory.Floats(values.Tensor), expected, 0, dtype == DType.F32 ? 2e-7 : 1.0 / 256, $"rows, {dtype}");
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(17)]
    [InlineData(5461)]
    public void Reciprocals_of_what_has_none_are_zero(int count)
    {
        double[] values = new Samples(count).Uniform(count, 1e-12, 3);
        (double Value, int At)[] without = [(0, 0), (-2, 3), (double.NaN, 5), (double.PositiveInfinity, 7)];
        foreach ((double value, int at) in without.Where(entry => entry.At < count))
        {
            values[at] = value;
        }

        Operand input = Memory.Upload(values, DType.F32, 1, count);
        Tensor output = Memory.Zeros(DType.F32, 1, count);
        foreach (bool root in (bool[])[false, true])
        {
            Device.Reciprocal(input.Tensor, root, 0.37f, output);
            Compare.AllClose(Memory.Floats(output), [.. input.Values.Select(value => NormalizationOracle.Reciprocal(value, root, 0.37f))], 0, 1e-6, $"reciprocal, root {root}");
        }

        Device.Reciprocal(input.Tensor, root: true, 0.37f, input.Tensor);
        Compare.BitEqual<float>(Memory.Floats(input.Tensor), Memory.Floats(output), "in place");
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(17, 5461)]
    [InlineData(3000, 40)]
    public void Vectors_are_divided_by_the_sum_of_squares(int count, int divisorCount)
    {
        Operand values = Memory.Upload(new Samples(count).Uniform(count, 0, 1), DType.F32, 1, count);
        Operand divisors = Memory.Upload(new Samples(divisorCount).Uniform(divisorCount, 1e-8, 1e-6), DType.F32, 1, divisorCount);
        Device.DivideBySquares(values.Tensor, divisors.Tensor);
        double squares = divisors.Values.Sum(d => d * d);
        Compare.AllClose(Memory.Floats(values.Tensor), [.. values.Values.Select(value => value / squares)], 0, 4e-6, "quotients");
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 17)]
    [InlineData(300, 201)]
    public void Averages_pass_over_what_is_not_finite(int m, int n)
    {
        foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
        {
            Operand average = Memory.Upload(new Samples(1).Normals(m * n), DType.F32, m, n);
            double[] numbers = new Samples(2).Normals(m * n);
            numbers[m * n / 2] = double.NaN;
            numbers[m * n - 1] = double.NegativeInfinity;
            Operand values = Memory.Upload(numbers, dtype, m, n);
            Device.Average(values.Tensor, 0.9f, 0.1f, average.Tensor);
            double[] expected = [.. average.Values.Zip(values.Values, (old, value) => double.IsFinite(value) ? 0.9f * old + 0.1f * value : old)];
            Compare.AllClose(Memory.Floats(average.Tensor), expected, 1e-7, 1e-6, $"average, {dtype}");
        }
    }

    /// <summary>Norms 1, 1.005, 3, 3, 0.5: stored, within the bound, limited, limited, within.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Growth_is_limited(bool useLimiter)
    {
        const int M = 130, N = 77;
        Tensor norm = Memory.Zeros(DType.F32, 1, 1), limited = Memory.Zeros(DType.I64, 1, 1);
        double stored = 0;
        int count = 0;
        foreach ((double size, int step) in ((double, int)[])[(1, 1), (1.005, 2), (3, 3), (3, 4), (0.5, 5)])
        {
            Operand squares = Memory.Upload(new Samples(7).Uniform(M, 0.5 * size * size, size * size), DType.F32, 1, M);
            Operand weights = Memory.Upload(new Samples(8).Uniform(M, 0.1, 2), DType.F32, 1, M);
            Operand coefficients = Memory.Upload(new Samples(9).Normals(N), DType.F32, 1, N);
            Device.LimitGrowth(squares.Tensor, weights.Tensor, useLimiter, storeOnly: step == 1, norm, coefficients.Tensor, limited);
            double limit = NormalizationOracle.Limit(squares.Values, weights.Values, useLimiter, step == 1, ref stored)!.Value;
            count += limit > 1 ? 1 : 0;
            Compare.AllClose(Memory.Floats(coefficients.Tensor), [.. coefficients.Values.Select(value => value / limit)], 0, 4e-6, $"coefficients of update {step}");
            Compare.AllClose(Memory.Floats(norm), [stored], 0, 4e-6, $"norm after update {step}");
        }

        Assert.Equal(useLimiter ? 2 : 0, count);
        Compare.BitEqual<byte>(Memory.Bytes(limited), BitConverter.GetBytes((long)count), "limited updates");
    }

    [Fact]
    public void A_norm_that_is_not_finite_stops_the_update_alone()
    {
        Tensor norm = Memory.Upload([2.0], DType.F32, 1, 1).Tensor, limited = Memory.Zeros(DType.I64, 1, 1);
        Tensor squares = Memory.Upload([1, double.NaN, 1], DType.F32, 1, 3).Tensor, weights = Memory.Upload([1, 1, 1], DType.F32, 1, 3).Tensor;
        Tensor coefficients = Memory.Upload([1, 2], DType.F32, 1, 2).Tensor;
        Device.LimitGrowth(squares, weights, useLimiter: true, storeOnly: false, norm, coefficients, limited);
        Assert.Equal([2f], Memory.Floats(norm).ToArray());
        Assert.Equal([0f, 0f], Memory.Floats(coefficients).ToArray());
        Compare.BitEqual<byte>(Memory.Bytes(limited), new byte[sizeof(long)], "limited updates");
    }

    private void UseWorkspace(int m, int n) =>
        Memory.UseWorkspace(new WorkspaceRequest(new AttentionShape(1, 1, 1, 1, 1, 2), Math.Max(m, n), Math.Max(m, n)));
}
