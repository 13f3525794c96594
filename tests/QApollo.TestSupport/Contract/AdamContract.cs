using QApollo.Devices;
using QApollo.TestSupport.Oracles;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>Adam's direction, moments in binary32 and in 8 bits.</summary>
public abstract class AdamContract : DeviceContract
{
    public static AdamScalars Scalars(int step, BiasCorrection correction) => new(
        0.9f, 0.999f, 0.1f, 0.001f, 1e-6f, (float)(1 - Math.Pow(0.9, step)), (float)Math.Sqrt(1 - Math.Pow(0.999, step)), correction);

    public static TheoryData<int, int, DType, BiasCorrection> Shapes
    {
        get
        {
            var data = new TheoryData<int, int, DType, BiasCorrection>();
            foreach ((int rows, int columns) in ((int, int)[])[(1, 1), (3, 17), (1, 5461), (129, 300)])
            {
                foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
                {
                    data.Add(rows, columns, dtype, BiasCorrection.StepSize);
                    data.Add(rows, columns, dtype, BiasCorrection.Direction);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Direction_and_moments(int rows, int columns, DType dtype, BiasCorrection correction)
    {
        int count = rows * columns;
        Tensor moment1 = Memory.Zeros(DType.F32, rows, columns);
        Tensor moment2 = Memory.Zeros(DType.F32, rows, columns);
        Operand squares = Memory.Upload([3], DType.F32, 1, 1);
        double[] expected1 = new double[count];
        double[] expected2 = new double[count];
        double sum = 3;
        for (int step = 1; step <= 3; step++)
        {
            Operand gradient = Memory.Upload(new Samples(step).Normals(count, 0.01), dtype, rows, columns);
            AdamScalars scalars = Scalars(step, correction);
            Device.AdamDirection(gradient.Tensor, moment1, moment2, scalars, squares.Tensor);
            double[] direction = AdamOracle.Direction(gradient.Values, expected1, expected2, scalars);
            sum += gradient.Values.Sum(g => g * g);
            double relative = dtype == DType.F32 ? 4e-6 : 1.0 / 250;
            Compare.AllClose(Memory.Floats(gradient.Tensor), direction, relative, relative, "direction");
            Compare.AllClose(Memory.Floats(moment1), expected1, 1e-9, 4e-6, "first moment");
            Compare.AllClose(Memory.Floats(moment2), expected2, 1e-13, 4e-6, "second moment");
            Compare.AllClose(Memory.Floats(squares.Tensor), [sum], 0, 2e-6, "sum of squares");
        }
    }

    [Fact]
    public void What_is_not_finite_leaves_its_moments_alone()
    {
        double[] values = new Samples(1).Normals(100);
        (values[3], values[40], values[99]) = (double.NaN, double.PositiveInfinity, double.NegativeInfinity);
        Operand m = Memory.Upload(new Samples(2).Normals(100), DType.F32, 1, 100);
        Operand v = Memory.Upload(new Samples(3).Uniform(100, 1, 2), DType.F32, 1, 100);
        Operand gradient = Memory.Upload(values, DType.F32, 1, 100);
        Tensor squares = Memory.Zeros(DType.F32, 1, 1);
        AdamScalars scalars = Scalars(5, BiasCorrection.StepSize);
        Device.AdamDirection(gradient.Tensor, m.Tensor, v.Tensor, scalars, squares);
        double[] direction = AdamOracle.Direction(gradient.Values, m.Values, v.Values, scalars);
        Compare.AllClose(Memory.Floats(gradient.Tensor), direction, 4e-6, 4e-6, "direction");
        Compare.AllClose(Memory.Floats(m.Tensor), m.Values, 1e-6, 4e-6, "first moment");
        Compare.AllClose(Memory.Floats(v.Tensor), v.Values, 1e-6, 4e-6, "second moment");
        Assert.False(float.IsFinite(Memory.Floats(squares)[0]));
    }

    /// <summary>Each step is checked from the codes before it: decoding, update, direction; then scale and nearest code.</summary>
    [Theory]
    [MemberData(nameof(Shapes))]
    public void Eight_bit_moments_are_the_nearest_entries_of_the_map(int rows, int columns, DType dtype, BiasCorrection correction)
    {
        int count = rows * columns;
        int blocks = EightBitMap.Blocks(count);
        Tensor moment1 = Memory.Zeros(DType.U8, rows, columns);
        Tensor moment2 = Memory.Zeros(DType.U8, rows, columns);
        Tensor scale1 = Memory.Zeros(DType.F32, 1, blocks);
        Tensor scale2 = Memory.Zeros(DType.F32, 1, blocks);
        Tensor squares = Memory.Zeros(DType.F32, 1, 1);
        for (int step = 1; step <= 3; step++)
        {
            double[] values = new Samples(step).Normals(count, 0.01);
            values[count / 2] = step == 2 ? double.NaN : values[count / 2];
            Operand gradient = Memory.Upload(values, dtype, rows, columns);
            double[] m = Decode(moment1, scale1, EightBitMap.FirstMoment);
            double[] v = Decode(moment2, scale2, EightBitMap.SecondMoment);
            AdamScalars scalars = Scalars(step, correction);
            Device.AdamDirection8Bit(gradient.Tensor, moment1, moment2, scale1, scale2, scalars, squares);
            double[] direction = AdamOracle.Direction(gradient.Values, m, v, scalars);
            double relative = dtype == DType.F32 ? 1e-5 : 1.0 / 250;
            Compare.AllClose(Memory.Floats(gradient.Tensor), direction, relative, relative, "direction");
            AssertCoded(m, moment1, scale1, EightBitMap.FirstMoment, "first moment");
            AssertCoded(v, moment2, scale2, EightBitMap.SecondMoment, "second moment");
        }
    }

    /// <summary>Gradient and moments, one after the other, begin an element behind their memory.</summary>
    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void Each_operand_may_begin_at_any_element(DType dtype)
    {
        const int Count = 520;
        AdamScalars scalars = Scalars(1, BiasCorrection.StepSize);
        double relative = dtype == DType.F32 ? 1e-5 : 1.0 / 250;
        for (int moved = 0; moved < 3; moved++)
        {
            Tensor Place(int operand, Tensor tensor) => operand == moved ? Memory.BehindAnElement(tensor) : tensor;

            double[] values = new Samples(moved).Normals(Count, 0.01);
            foreach (DType moments in (DType[])[DType.F32, DType.U8])
            {
                Operand gradient = Memory.Upload(values, dtype, 1, Count);
                Tensor moment1 = Place(1, Memory.Zeros(moments, 1, Count)), moment2 = Place(2, Memory.Zeros(moments, 1, Count));
                Tensor direction = Place(0, gradient.Tensor), squares = Memory.Zeros(DType.F32, 1, 1);
                double[] expected1 = new double[Count], expected2 = new double[Count];
                double[] expected = AdamOracle.Direction(gradient.Values, expected1, expected2, scalars);
                if (moments == DType.F32)
                {
                    Device.AdamDirection(direction, moment1, moment2, scalars, squares);
                    Compare.AllClose(Memory.Floats(moment1), expected1, 1e-9, 4e-6, "first moment");
                    Compare.AllClose(Memory.Floats(moment2), expected2, 1e-13, 4e-6, "second moment");
                }
                else
                {
                    int blocks = EightBitMap.Blocks(Count);
                    Tensor scale1 = Memory.Zeros(DType.F32, 1, blocks), scale2 = Memory.Zeros(DType.F32, 1, blocks);
                    Device.AdamDirection8Bit(direction, moment1, moment2, scale1, scale2, scalars, squares);
                    AssertCoded(expected1, moment1, scale1, EightBitMap.FirstMoment, "first moment");
                    AssertCoded(expected2, moment2, scale2, EightBitMap.SecondMoment, "second moment");
                }

                Compare.AllClose(Memory.Floats(direction), expected, relative, relative, $"direction, {moments} moments, {moved}");
            }
        }
    }

    /// <summary>First moments of which each is the middle of two entries: half of the gradient, at a scale of 1.</summary>
    [Fact]
    public void A_moment_between_two_entries_takes_the_lower_one()
    {
        float[] map = [.. EightBitMap.FirstMoment];
        double[] values = [.. Enumerable.Range(0, map.Length - 1).Select(i => (double)(map[i] + map[i + 1])), 2];
        Tensor gradient = Memory.Upload(values, DType.F32, 1, map.Length).Tensor;
        Tensor moment1 = Memory.Zeros(DType.U8, 1, map.Length);
        Tensor moment2 = Memory.Zeros(DType.U8, 1, map.Length);
        Tensor scale1 = Memory.Zeros(DType.F32, 1, 1);
        Tensor scale2 = Memory.Zeros(DType.F32, 1, 1);
        AdamScalars scalars = Scalars(1, BiasCorrection.StepSize) with { Beta1 = 0.5f, OneMinusBeta1 = 0.5f };
        Device.AdamDirection8Bit(gradient, moment1, moment2, scale1, scale2, scalars, Memory.Zeros(DType.F32, 1, 1));
        Assert.Equal([1f], Memory.Floats(scale1));
        Assert.Equal(Enumerable.Range(0, map.Length).Select(i => (byte)i), Memory.Bytes(moment1));
    }

    private double[] Decode(Tensor codes, Tensor scales, ReadOnlySpan<float> map)
    {
        byte[] bytes = Memory.Bytes(codes);
        float[] scale = Memory.Floats(scales);
        double[] values = new double[bytes.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (double)map[bytes[i]] * scale[i / EightBitMap.BlockSize];
        }

        return values;
    }

    private void AssertCoded(double[] values, Tensor codes, Tensor scales, ReadOnlySpan<float> map, string what)
    {
        float[] scale = Memory.Floats(scales);
        double[] decoded = Decode(codes, scales, map);
        for (int block = 0; block < scale.Length; block++)
        {
            int start = block * EightBitMap.BlockSize;
            int end = Math.Min(start + EightBitMap.BlockSize, values.Length);
            double largest = values[start..end].Max(Math.Abs);
            Compare.AllClose([scale[block]], [largest], 1e-12, 1e-5, $"{what}: scale of block {block}");
            for (int i = start; i < end; i++)
            {
                double best = double.PositiveInfinity;
                foreach (float entry in map)
                {
                    best = Math.Min(best, Math.Abs((double)entry * scale[block] - values[i]));
                }

                double error = Math.Abs(decoded[i] - values[i]);
                Assert.True(error <= best + 1e-5 * Math.Abs(values[i]) + 1e-15, $"{what} [{i}]: error {error}, the nearest entry has {best}");
            }
        }
    }
}
