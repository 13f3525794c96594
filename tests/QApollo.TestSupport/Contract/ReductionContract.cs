using QApollo.Devices;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>Sums over a tensor, added to what is there.</summary>
public abstract class ReductionContract : DeviceContract
{
    [Theory]
    [InlineData(1)]
    [InlineData(17)]
    [InlineData(5461)]
    [InlineData(16_384)]
    [InlineData(1_000_003)]
    [InlineData(1_048_576)]
    [InlineData(2_200_007)]
    public void Sums_are_added_to_the_total(int count)
    {
        Operand values = Memory.Upload(new Samples(count).Uniform(count, -0.5, 1), DType.F32, 1, count);
        Operand total = Memory.Upload([2.5], DType.F32, 1, 1);
        Device.AccumulateSum(values.Tensor, total.Tensor);
        Device.AccumulateSum(values.Tensor, total.Tensor);
        Compare.AllClose(Memory.Floats(total.Tensor), [2.5 + 2 * values.Values.Sum()], 1e-6 * Math.Sqrt(count), 1e-6, "sum");
    }

    /// <summary>Rows of odd length start anywhere.</summary>
    [Fact]
    public void Parts_of_a_tensor_are_summed()
    {
        const int Columns = 2053;
        Operand total = Memory.Upload([1], DType.F32, 1, 1);
        Operand values = Memory.Upload(new Samples(1).Normals(5 * Columns), DType.F32, 5, Columns);
        double sum = values.Values[Columns..].Sum();
        Device.AccumulateSum(values.Tensor.RowRange(1, 4), total.Tensor);
        Compare.AllClose(Memory.Floats(total.Tensor), [1 + sum], 1e-4, 1e-6, "sum");
        foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
        {
            values = Memory.Upload(new Samples(2).Normals(5 * Columns), dtype, 5, Columns);
            Operand squares = Memory.Upload([1.5], DType.F32, 1, 1);
            Device.AccumulateSumOfSquares(values.Tensor.RowRange(1, 4), squares.Tensor);
            Compare.AllClose(Memory.Floats(squares.Tensor), [1.5 + values.Values[Columns..].Sum(v => v * v)], 0, 2e-6, $"sum of squares, {dtype}");
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 17)]
    [InlineData(700, 1365)]
    [InlineData(704, 1024)]
    [InlineData(5, 1023)]
    public void Sums_of_squares_are_added_to_the_total(int rows, int columns)
    {
        foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
        {
            Operand values = Memory.Upload(new Samples(rows).Normals(rows * columns), dtype, rows, columns);
            Operand total = Memory.Upload([1.5], DType.F32, 1, 1);
            Device.AccumulateSumOfSquares(values.Tensor, total.Tensor);
            Compare.AllClose(Memory.Floats(total.Tensor), [1.5 + values.Values.Sum(v => v * v)], 0, 2e-6, $"sum of squares, {dtype}");
        }
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Sums_of_squares_show_what_is_not_finite(double bad)
    {
        foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
        {
            double[] values = new Samples(1).Normals(100_000);
            values[77_777] = bad;
            Tensor total = Memory.Zeros(DType.F32, 1, 1);
            Device.AccumulateSumOfSquares(Memory.Upload(values, dtype, 1, values.Length).Tensor, total);
            Assert.False(float.IsFinite(Memory.Floats(total)[0]));
        }
    }
}
