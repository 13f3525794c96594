using QApollo.Devices;
using QApollo.Quantization;
using QApollo.TestSupport.Oracles;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>Rows of activations as INT8 codes with a scale each.</summary>
public abstract class RowCodeContract : DeviceContract
{
    private static readonly RandomStream Stream = new(0x123456789ABCDEF0, RandomPurpose.BoundaryRounding, 5, 77);

    [Theory]
    [InlineData(1, 1, 0)]
    [InlineData(3, 7, 5)]
    [InlineData(2, 8, 1)]
    [InlineData(5, 96, 1L << 33)]
    [InlineData(70, 136, 4096)]
    [InlineData(9, 1027, 3)]
    [InlineData(3, 4104, 12)]
    public void Codes_and_scales_are_those_of_the_rule(int rows, int columns, long firstRow)
    {
        Operand values = Memory.Activation(new Samples(rows + columns).Normals(rows * columns, 3), rows, columns);
        (byte[] codes, float[] scales) = Quantize(values, firstRow);
        for (int row = 0; row < rows; row++)
        {
            double[] own = values.Values[(row * columns)..((row + 1) * columns)];
            (byte[] expected, float scale) = RowCodeOracle.Quantize(Array.ConvertAll(own, v => (float)v), Stream, firstRow + row);
            byte[] actual = codes[(row * columns)..((row + 1) * columns)];
            Compare.BitEqual<byte>(actual, expected, $"codes of row {row}");
            Assert.Equal(scale, scales[row]);

            // Either code next to the value, whatever the words are.
            double[] places = RowCodeOracle.Places(own);
            Assert.All(Enumerable.Range(0, columns), i => Assert.InRange(actual[i] - 128 - places[i], -1.0001, 1.0001));
            Assert.Equal(own.Max(Math.Abs) / 127, scales[row], own.Max(Math.Abs) * 1e-7);
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 7)]
    [InlineData(70, 136)]
    [InlineData(9, 1027)]
    [InlineData(3, 4104)]
    public void Values_come_back_as_code_times_scale(int rows, int columns)
    {
        var samples = new Samples(columns);
        byte[] codes = Array.ConvertAll(samples.Integers(rows * columns, 0, 256), v => (byte)v);
        Operand scales = Memory.Upload(samples.Uniform(rows, 1e-4, 2), DType.F32, 1, rows);
        Tensor values = Memory.Activation(rows, columns);
        Device.DequantizeRows(Memory.Upload(codes, rows, columns), scales.Tensor, values);
        double[] expected = [.. codes.Select((code, i) => (code - 128) * scales.Values[i / columns])];
        Compare.AllClose(Memory.Floats(values), expected, 0, values.DType == DType.F32 ? 6e-8 : 1.0 / 256, "values");
    }

    /// <summary>Means of many roundings of the same values: within five standard errors for each of 257 values, within four for their sum.</summary>
    [Fact]
    public void Rounding_has_no_bias()
    {
        const int Columns = 257, Draws = 4000;
        double[] row = new Samples(3).Normals(Columns);
        Operand values = Memory.Activation([.. Enumerable.Repeat(row, Draws).SelectMany(v => v)], Draws, Columns);
        (byte[] codes, _) = Quantize(values, firstRow: 1000);
        double[] places = RowCodeOracle.Places(values.Values[..Columns]);
        double sum = 0;
        for (int i = 0; i < Columns; i++)
        {
            double mean = Enumerable.Range(0, Draws).Average(draw => codes[(draw * Columns) + i] - 128.0);
            double up = places[i] - Math.Floor(places[i]);
            Assert.InRange(mean - places[i], -(5 * Math.Sqrt(up * (1 - up) / Draws)) - 1e-4, (5 * Math.Sqrt(up * (1 - up) / Draws)) + 1e-4);
            sum += mean - places[i];
        }

        double deviation = Math.Sqrt(places.Sum(place => (place - Math.Floor(place)) * (1 - place + Math.Floor(place))) / Draws);
        Assert.InRange(sum, -(4 * deviation) - (Columns * 1e-5), (4 * deviation) + (Columns * 1e-5));
    }

    /// <summary>Rows that a division by their largest value would ruin, between sound ones.</summary>
    [Theory]
    [InlineData(0.0, 0.0)]
    [InlineData(1e-40, 0.0)]
    [InlineData(1e-31, 0.0)]
    [InlineData(1e-30, 1e-30 / 127)]
    [InlineData(3e38, 3e38 / 127)]
    [InlineData(double.NaN, double.NaN)]
    [InlineData(double.PositiveInfinity, double.NaN)]
    [InlineData(double.NegativeInfinity, double.NaN)]
    public void Rows_that_have_no_grid_are_told(double special, double scale)
    {
        foreach (int columns in (int[])[96, 299])
        {
            double[] row = new double[columns];
            row[columns / 2] = special;
            row[columns - 1] = double.IsFinite(special) ? -special / 2 : 7;
            double[] sound = new Samples(1).Normals(columns);
            Operand values = Memory.Activation([.. sound, .. row, .. sound], 3, columns);
            (byte[] codes, float[] scales) = Quantize(values, firstRow: 0);
            float[] stored = Array.ConvertAll(values.Values[columns..(2 * columns)], v => (float)v);
            (byte[] expected, float expectedScale) = RowCodeOracle.Quantize(stored, Stream, row: 1);
            Compare.BitEqual<byte>(codes.AsSpan(columns, columns), expected, "codes");
            Assert.Equal(expectedScale, scales[1]);
            Assert.True(double.IsNaN(scale) ? float.IsNaN(scales[1]) : Math.Abs(scales[1] - scale) <= scale / 200, $"{special}: scale {scales[1]}");
            Assert.InRange(scales[0], 0.001f, 1f);
            Assert.Equal(scales[0], scales[2]);

            Tensor back = Memory.Activation(3, columns);
            Device.DequantizeRows(Memory.Upload(codes, 3, columns), Memory.Upload(Array.ConvertAll(scales, v => (double)v), DType.F32, 1, 3).Tensor, back);
            Assert.Equal(double.IsNaN(scale), Memory.Floats(back)[columns..(2 * columns)].Any(float.IsNaN));
            Assert.DoesNotContain(Memory.Floats(back)[..columns], v => !float.IsFinite(v));
        }
    }

    /// <summary>
    /// 127 times a largest value over itself may be rounded to a little more than 127, and in one row of some ten thousand a word
    /// rounds that further out: there is no code for it.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public void The_largest_value_takes_the_last_code(int sign)
    {
        const int Columns = 8;
        float largest = Enumerable.Range(128, 128).Select(i => i / 128f).First(value => value * (127 / value) > 127);
        float beyond = (largest * (127 / largest)) - 127;
        long row = Enumerable.Range(0, 1 << 20).First(row => Enumerable.Range(0, Columns).Any(i =>
        {
            float uniform = Philox.ToUniform(Philox.Word(Stream, ((ulong)row * Columns) + (ulong)i));
            return sign > 0 ? uniform < beyond : uniform >= 1 - beyond;
        }));
        Operand values = Memory.Activation([.. Enumerable.Repeat((double)sign * largest, Columns)], 1, Columns);
        (byte[] codes, _) = Quantize(values, row);
        Assert.All(codes, code => Assert.Equal(128 + (sign * 127), code));
    }

    /// <summary>Codes and scales in one buffer, as layer inputs are kept: the second micro-batch begins anywhere.</summary>
    [Theory]
    [InlineData(3, 96, 4)]
    [InlineData(5, 31, 1)]
    public void Places_need_no_alignment_beyond_that_of_their_elements(int rows, int columns, int offset)
    {
        Operand values = Memory.Activation(new Samples(9).Normals(rows * columns), rows, columns);
        Tensor buffer = Memory.Zeros(DType.U8, 1, offset + (rows * columns));
        var codes = new Tensor(buffer.Address + offset, DType.U8, rows, columns);
        Tensor scales = Memory.Zeros(DType.F32, 1, rows), back = Memory.Activation(rows, columns);
        Device.QuantizeRows(values.Tensor, Stream, 2, codes, scales);
        (byte[] aligned, float[] alignedScales) = Quantize(values, firstRow: 2);
        Compare.BitEqual<byte>(Memory.Bytes(buffer).AsSpan(offset), aligned, "codes");
        Device.DequantizeRows(codes, scales, back);
        double[] expected = [.. aligned.Select((code, i) => (code - 128) * (double)alignedScales[i / columns])];
        Compare.AllClose(Memory.Floats(back), expected, 0, back.DType == DType.F32 ? 6e-8 : 1.0 / 256, "values");
    }

    private (byte[] Codes, float[] Scales) Quantize(Operand values, long firstRow)
    {
        Tensor codes = Memory.Zeros(DType.U8, values.Tensor.Rows, values.Tensor.Columns), scales = Memory.Zeros(DType.F32, 1, values.Tensor.Rows);
        Device.QuantizeRows(values.Tensor, Stream, firstRow, codes, scales);
        return (Memory.Bytes(codes), Memory.Floats(scales));
    }
}
