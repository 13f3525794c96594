using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Quantization;
using QApollo.TestSupport.Oracles;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>The rewriting of stored weights, bit for bit.</summary>
public abstract class UpdateContract : DeviceContract
{
    public static TheoryData<WeightForm, RoundingMode, RegridMode, ChannelAxis> Modes
    {
        get
        {
            var data = new TheoryData<WeightForm, RoundingMode, RegridMode, ChannelAxis>();
            foreach (WeightForm form in Enum.GetValues<WeightForm>())
            {
                foreach (RoundingMode rounding in Enum.GetValues<RoundingMode>())
                {
                    foreach (ChannelAxis axis in Enum.GetValues<ChannelAxis>())
                    {
                        data.Add(form, rounding, RegridMode.WhenNeeded, axis);
                    }

                    data.Add(form, rounding, RegridMode.Always, ChannelAxis.None);
                }
            }

            return data;
        }
    }

    /// <summary>Small and large updates, decay before and after, NaN under a zero coefficient, rows of a larger parameter.</summary>
    [Theory]
    [MemberData(nameof(Modes))]
    public void Updates_match_the_rule_bit_for_bit(WeightForm form, RoundingMode rounding, RegridMode regrid, ChannelAxis axis)
    {
        foreach ((int rows, int odd) in ((int, int)[])[(1, 1), (3, 17), (7, 300), (5, 1029)])
        {
            int columns = form.Columns(odd);
            foreach ((float decay, bool decayFirst) in ((float, bool)[])[(1f, false), (0.99f, false), (0.99f, true)])
            {
                foreach (DType gradientType in (DType[])[DType.F32, DType.BF16])
                {
                    var scalars = new UpdateScalars(decay, decayFirst, rounding, regrid, FirstRow: 11, Seed: 0xABCDEF0123456789, Parameter: 5, Step: 3);
                    AssertUpdate(form, axis, scalars, rows, columns, gradientType);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void A_zero_update_changes_no_byte(WeightForm form, RoundingMode rounding, RegridMode regrid, ChannelAxis axis)
    {
        const int Rows = 6, Columns = 300;
        var scalars = new UpdateScalars(1f, false, rounding, regrid, 0, 1, 2, 3);
        WeightMatrix weight = Memory.Weight(new Samples(1).Normals(Rows * Columns), Rows, Columns, form);
        UnderfillSomeGroups(weight);
        byte[] before = Bytes(weight);
        Tensor counts = Memory.Counts();
        int channels = Channels(axis, Rows, Columns);
        Operand ones = Memory.Upload([.. Enumerable.Repeat(1.0, channels)], DType.F32, 1, channels);
        Device.ApplyUpdate(weight, Memory.Zeros(DType.F32, Rows, Columns), ones.Tensor, axis, scalars, counts);
        Compare.BitEqual<byte>(Bytes(weight), before, "gradient zero");

        Operand poison = Memory.Upload([.. Enumerable.Repeat(double.NaN, Rows * Columns)], DType.F32, Rows, Columns);
        Device.ApplyUpdate(
            weight, poison.Tensor, Memory.Zeros(DType.F32, 1, channels), axis, scalars with { Decay = 0.9f }, counts);
        Compare.BitEqual<byte>(Bytes(weight), before, "coefficient zero, gradient NaN");
        Assert.Equal(0, Memory.Count(counts, UpdateCount.Changed));
    }

    /// <summary>A non-finite change cannot spoil a group: it stays as it was.</summary>
    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(-1e38)]
    public void A_group_whose_new_values_are_not_finite_stays(double bad)
    {
        var scalars = new UpdateScalars(1f, false, RoundingMode.Stochastic, RegridMode.WhenNeeded, 0, 1, 2, 3);
        WeightMatrix weight = Memory.Weight(new Samples(1).Normals(2 * 128), 2, 128, WeightForm.Int8By128);
        byte[] before = Bytes(weight);
        double[] gradient = new double[256];
        gradient[17] = bad;
        Tensor counts = Memory.Counts();
        Operand coefficient = Memory.Upload([100], DType.F32, 1, 1);
        Device.ApplyUpdate(
            weight, Memory.Upload(gradient, DType.F32, 2, 128).Tensor, coefficient.Tensor, ChannelAxis.None, scalars, counts);
        Compare.BitEqual<byte>(Bytes(weight), before, "weight");
        Assert.Equal(0, Memory.Count(counts, UpdateCount.Changed));
    }

    /// <summary>Squares of moves that no integer of 64 bits could hold count as the largest sum, so that the total stays one.</summary>
    [Fact]
    public void Huge_moves_count_as_the_largest_sum()
    {
        const int Columns = 128;
        var scalars = new UpdateScalars(1f, false, RoundingMode.Nearest, RegridMode.WhenNeeded, 0, 1, 2, 3);
        WeightMatrix weight = Memory.Weight(new Samples(1).Normals(Columns), 1, Columns, WeightForm.Int8By128);
        Operand gradient = Memory.Upload(new Samples(2).Normals(Columns, 1e12), DType.F32, 1, Columns);
        Tensor counts = Memory.Counts();
        Device.ApplyUpdate(weight, gradient.Tensor, Memory.Upload([1], DType.F32, 1, 1).Tensor, ChannelAxis.None, scalars, counts);
        Assert.Equal(1, Memory.Count(counts, UpdateCount.Regridded));
        Assert.Equal((long)(UpdateCounts.LargestSum * UpdateCounts.SquareUnit), Memory.Count(counts, UpdateCount.MoveSquares));
    }

    /// <summary>Mean rounding error within four standard errors of zero, over a million draws of one step.</summary>
    [Theory]
    [InlineData(WeightForm.Int8By128, RoundingMode.Stochastic)]
    [InlineData(WeightForm.Int8By128, RoundingMode.LowDiscrepancy)]
    [InlineData(WeightForm.Int8By128Plus4, RoundingMode.Stochastic)]
    [InlineData(WeightForm.Int8By64Plus8, RoundingMode.LowDiscrepancy)]
    [InlineData(WeightForm.BF16, RoundingMode.Stochastic)]
    [InlineData(WeightForm.BF16, RoundingMode.LowDiscrepancy)]
    public void Rounding_is_unbiased_over_elements(WeightForm form, RoundingMode rounding)
    {
        const int Rows = 1024, Columns = 1024;
        var scalars = new UpdateScalars(1f, false, rounding, RegridMode.WhenNeeded, 0, 42, 1, 1);
        WeightMatrix weight = Memory.Weight(new Samples(1).Uniform(Rows * Columns, 1, 1.9), Rows, Columns, form);
        double[] before = Memory.Values(weight);
        double unit = weight.IsQuantized ? Memory.Read(weight.Scales).Max() / (1 << weight.ResidualBits) : 1.0 / 128;
        Operand gradient = Memory.Upload(new Samples(2).Uniform(Rows * Columns, 0, 0.6 * unit), DType.F32, Rows, Columns);
        Tensor counts = Memory.Counts();
        Operand one = Memory.Upload([1], DType.F32, 1, 1);
        Device.ApplyUpdate(weight, gradient.Tensor, one.Tensor, ChannelAxis.None, scalars, counts);
        double[] after = Memory.Values(weight);
        double[] errors = [.. after.Select((w, i) => w - (before[i] - gradient.Values[i]))];
        double mean = errors.Average();
        double standardError = Math.Sqrt(errors.Average(e => (e - mean) * (e - mean)) / errors.Length);
        Assert.InRange(mean / standardError, -4, 4);
        Assert.InRange(Memory.Count(counts, UpdateCount.Changed), errors.Length / 5L, errors.Length / 2L);
    }

    /// <summary>
    /// An update far below one code, many times: the weights must arrive where the sum of the updates leads. Low
    /// discrepancy must keep every single element within two steps of the finest grid.
    /// </summary>
    [Theory]
    [InlineData(RoundingMode.Stochastic, WeightForm.Int8By128)]
    [InlineData(RoundingMode.LowDiscrepancy, WeightForm.Int8By128)]
    [InlineData(RoundingMode.Stochastic, WeightForm.Int8By128Plus4)]
    [InlineData(RoundingMode.LowDiscrepancy, WeightForm.Int8By128Plus4)]
    public void Rounding_is_unbiased_over_steps(RoundingMode rounding, WeightForm form)
    {
        const int Rows = 8, Columns = 256, Steps = 512;
        WeightMatrix weight = Memory.Weight(Spread(Rows * Columns), Rows, Columns, form);
        double[] before = Memory.Values(weight);
        double[] scales = Memory.Read(weight.Scales);
        double unit = scales[0] / (1 << weight.ResidualBits);
        Operand gradient = Memory.Upload([.. before.Select((w, i) => Math.Abs(w) > 0.9 ? 0 : 0.03 * unit)], DType.F32, Rows, Columns);
        Tensor counts = Memory.Counts();
        Operand one = Memory.Upload([1], DType.F32, 1, 1);
        for (uint step = 1; step <= Steps; step++)
        {
            var scalars = new UpdateScalars(1f, false, rounding, RegridMode.WhenNeeded, 0, 7, 1, step);
            Device.ApplyUpdate(weight, gradient.Tensor, one.Tensor, ChannelAxis.None, scalars, counts);
        }

        Assert.Equal(scales, Memory.Read(weight.Scales));
        double[] errors = [.. Memory.Values(weight).Select((w, i) => (w - (before[i] - Steps * gradient.Values[i])) / unit)];
        double moved = errors.Count(e => e != 0);
        double sigma = Math.Sqrt(Steps * 0.03 * 0.97);
        Assert.InRange(errors.Average(), -4 * sigma / Math.Sqrt(moved), 4 * sigma / Math.Sqrt(moved));
        if (rounding == RoundingMode.LowDiscrepancy)
        {
            Assert.All(errors, e => Assert.InRange(e, -2, 2));
        }
    }

    private void AssertUpdate(WeightForm form, ChannelAxis axis, in UpdateScalars scalars, int rows, int columns, DType gradientType)
    {
        var samples = new Samples(rows * 31 + columns);
        WeightMatrix weight = Memory.Weight(samples.Normals(rows * columns, 0.02), rows, columns, form);
        UnderfillSomeGroups(weight);
        double[] gradientValues = samples.Normals(rows * columns, 0.02);
        int channels = Channels(axis, rows, columns);
        double[] coefficientValues = samples.Uniform(channels, 0, 0.02);
        coefficientValues[channels / 2] = 0.7;
        if (channels > 1)
        {
            coefficientValues[0] = 0;
            gradientValues[0] = double.NaN;
        }

        Operand gradient = Memory.Upload(gradientValues, gradientType, rows, columns);
        Operand coefficients = Memory.Upload(coefficientValues, DType.F32, 1, channels);
        Tensor counts = Memory.Counts();
        byte[] expected = Bytes(weight);
        var oracle = new UpdateOracle(scalars, weight.ZeroPointRule);
        Expect(oracle, weight, expected, Memory.Floats(gradient.Tensor), Memory.Floats(coefficients.Tensor), axis, scalars.FirstRow);
        Device.ApplyUpdate(weight, gradient.Tensor, coefficients.Tensor, axis, scalars, counts);
        string what = $"[{rows}, {columns}], decay {scalars.Decay}, first {scalars.DecayFirst}, gradient {gradientType}";
        Compare.BitEqual<byte>(Bytes(weight), expected, what);
        Assert.Equal(oracle.Changed, Memory.Count(counts, UpdateCount.Changed));
        if (weight.IsQuantized)
        {
            AssertHealth(oracle, counts, what);
        }
    }

    private void AssertHealth(UpdateOracle oracle, Tensor counts, string what)
    {
        Assert.Equal((oracle.Codes, oracle.Moved), (Memory.Count(counts, UpdateCount.Codes), Memory.Count(counts, UpdateCount.Moved)));
        Assert.Equal((oracle.Lost, oracle.Regridded), (Memory.Count(counts, UpdateCount.Lost), Memory.Count(counts, UpdateCount.Regridded)));
        float noise = Memory.Count(counts, UpdateCount.NoiseSquares) / UpdateCounts.SquareUnit;
        float moves = Memory.Count(counts, UpdateCount.MoveSquares) / UpdateCounts.SquareUnit;
        Compare.AllClose([noise, moves], [oracle.NoiseSquares, oracle.MoveSquares], 1e-6, 1e-4, $"noise and moves, {what}");
    }

    private static void Expect(
        UpdateOracle oracle, in WeightMatrix weight, byte[] bytes, float[] gradient, float[] coefficients, ChannelAxis axis, int firstRow)
    {
        int columns = weight.InFeatures;
        int elements = weight.OutFeatures * columns;
        for (int row = 0; row < weight.OutFeatures; row++)
        {
            int step = weight.IsQuantized ? weight.GroupSize : columns;
            for (int column = 0; column < columns; column += step)
            {
                int start = row * columns + column;
                int count = Math.Min(step, columns - column);
                ulong element = ((ulong)firstRow + (ulong)row) * (ulong)columns + (ulong)column;
                float[] c = [.. Enumerable.Range(column, count).Select(j => coefficients[axis switch { ChannelAxis.Rows => row, ChannelAxis.Columns => j, _ => 0 }])];
                if (weight.IsQuantized)
                {
                    int group = row * weight.Scales.Columns + column / step;
                    Span<ushort> scales = MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan(elements, 2 * weight.OutFeatures * weight.Scales.Columns));
                    int zero = elements + scales.Length * 2 + group;
                    Span<byte> stored = bytes.AsSpan(elements + scales.Length * 3);
                    sbyte[] residuals = ReadResiduals(stored, weight.ResidualBits, start, count);
                    GroupGrid grid = oracle.UpdateGroup(
                        bytes.AsSpan(start, count), residuals, weight.ResidualBits, new GroupGrid(BFloat.ToSingle(scales[group]), bytes[zero]),
                        gradient.AsSpan(start, count), c, element);
                    WriteResiduals(residuals, stored, weight.ResidualBits, start);
                    scales[group] = BFloat.FromSingle(grid.Scale);
                    bytes[zero] = grid.ZeroPoint;
                }
                else if (weight.Values.DType == DType.F32)
                {
                    Span<float> values = MemoryMarshal.Cast<byte, float>(bytes.AsSpan());
                    for (int i = 0; i < count; i++)
                    {
                        values[start + i] = oracle.UpdateSingle(values[start + i], gradient[start + i], c[i]);
                    }
                }
                else
                {
                    Span<ushort> values = MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan());
                    for (int i = 0; i < count; i++)
                    {
                        values[start + i] = oracle.UpdateBFloat(values[start + i], gradient[start + i], c[i], element + (ulong)i);
                    }
                }
            }
        }
    }

    private static sbyte[] ReadResiduals(ReadOnlySpan<byte> stored, int bits, int start, int count)
    {
        var residuals = new sbyte[count];
        for (int i = 0; i < count && bits != 0; i++)
        {
            int at = start + i;
            residuals[i] = bits == 8 ? (sbyte)stored[at] : (sbyte)((sbyte)(stored[at / 2] << (at % 2 == 0 ? 4 : 0)) >> 4);
        }

        return residuals;
    }

    private static void WriteResiduals(ReadOnlySpan<sbyte> residuals, Span<byte> stored, int bits, int start)
    {
        for (int i = 0; i < residuals.Length && bits != 0; i++)
        {
            int at = start + i;
            if (bits == 8)
            {
                stored[at] = (byte)residuals[i];
            }
            else
            {
                int shift = at % 2 * 4;
                stored[at / 2] = (byte)((stored[at / 2] & ~(15 << shift)) | ((residuals[i] & 15) << shift));
            }
        }
    }

    /// <summary>Halves the codes' distance from the zero point in the first rows, so that their grids are not worth keeping.</summary>
    private void UnderfillSomeGroups(in WeightMatrix weight)
    {
        if (!weight.IsQuantized)
        {
            return;
        }

        byte[] codes = Memory.Bytes(weight.Values);
        byte[] zeros = Memory.Bytes(weight.ZeroPoints);
        for (int i = 0; i < codes.Length / 2; i++)
        {
            int zero = zeros[i / weight.InFeatures * weight.Scales.Columns + i % weight.InFeatures / weight.GroupSize];
            codes[i] = (byte)(zero + (codes[i] - zero) / 2);
        }

        Device.Upload(codes, weight.Values);
    }

    private static int Channels(ChannelAxis axis, int rows, int columns) => axis switch
    {
        ChannelAxis.Rows => rows,
        ChannelAxis.Columns => columns,
        _ => 1,
    };

    /// <summary>Values in [-0.5, 0.5] with -1 and 1 in each group of 128: grids that stay.</summary>
    private static double[] Spread(int count) =>
        [.. new Samples(3).Uniform(count, -0.5, 0.5).Select((v, i) => (i % 128) switch { 0 => -1, 1 => 1, _ => v })];

    private byte[] Bytes(in WeightMatrix weight) => weight.IsQuantized
        ? [.. Memory.Bytes(weight.Values), .. Memory.Bytes(weight.Scales), .. Memory.Bytes(weight.ZeroPoints),
            .. weight.Residuals.IsAbsent ? [] : Memory.Bytes(weight.Residuals)]
        : Memory.Bytes(weight.Values);
}
