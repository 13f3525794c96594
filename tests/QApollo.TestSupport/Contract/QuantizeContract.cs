using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Quantization;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>Between binary32 values and stored weights.</summary>
public abstract class QuantizeContract : DeviceContract
{
    public static TheoryData<int, int, WeightForm> Shapes
    {
        get
        {
            var data = new TheoryData<int, int, WeightForm>();
            foreach (WeightForm form in Enum.GetValues<WeightForm>())
            {
                foreach ((int rows, int columns) in ((int, int)[])[(1, 1), (3, 17), (5, 128), (9, 5461), (64, 300)])
                {
                    data.Add(rows, columns, form);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Groups_are_built_as_the_grid_says(int rows, int columns, WeightForm form)
    {
        float[] source = Array.ConvertAll(new Samples(columns).Normals(rows * columns, 0.02), v => (float)v);
        Tensor values = Memory.Upload(Array.ConvertAll(source, v => (double)v), DType.F32, rows, columns).Tensor;
        WeightMatrix weight = Memory.EmptyWeight(rows, columns, form);
        Device.Quantize(values, weight);
        Tensor back = Memory.Zeros(DType.F32, rows, columns);
        Device.Dequantize(weight, back);
        Compare.AllClose(Memory.Floats(back), Memory.Values(weight), 0, 6e-8, "dequantized");
        if (!weight.IsQuantized)
        {
            Compare.AllClose(Memory.Floats(back), source, 0, form == WeightForm.F32 ? 0 : 1.0 / 256, "dense");
            return;
        }

        AssertGroups(source, weight);
    }

    /// <summary>Ranges that a clamped zero point, a rounded-down scale or a division by zero would ruin.</summary>
    [Theory]
    [InlineData("zero")]
    [InlineData("constant")]
    [InlineData("negative constant")]
    [InlineData("positive")]
    [InlineData("negative")]
    [InlineData("outlier")]
    [InlineData("tiny")]
    [InlineData("denormal")]
    [InlineData("huge")]
    public void No_group_saturates(string kind)
    {
        const int Rows = 4, Columns = 300;
        float[] source = Array.ConvertAll(new Samples(5).Normals(Rows * Columns), v => (float)v);
        source = kind switch
        {
            "zero" => new float[source.Length],
            "constant" => Array.ConvertAll(source, _ => 0.5f),
            "negative constant" => Array.ConvertAll(source, _ => -3.7e-5f),
            "positive" => Array.ConvertAll(source, v => 2 + MathF.Abs(v)),
            "negative" => Array.ConvertAll(source, v => -1 - MathF.Abs(v)),
            "outlier" => [.. source.Select((v, i) => i % 100 == 7 ? 1e4f : v)],
            "tiny" => Array.ConvertAll(source, v => v * 1e-35f),
            "denormal" => Array.ConvertAll(source, v => v * 1e-40f),
            _ => Array.ConvertAll(source, v => v * 1e37f),
        };
        Tensor values = Memory.Upload(Array.ConvertAll(source, v => (double)v), DType.F32, Rows, Columns).Tensor;
        foreach (WeightForm form in (WeightForm[])[WeightForm.Int8By32, WeightForm.Int8By128, WeightForm.Int8By256])
        {
            WeightMatrix weight = Memory.EmptyWeight(Rows, Columns, form);
            Device.Quantize(values, weight);
            AssertGroups(source, weight);
            double[] stored = Memory.Values(weight);
            double[] scales = Memory.Read(weight.Scales);
            for (int i = 0; i < source.Length; i++)
            {
                double scale = scales[i / Columns * weight.Scales.Columns + i % Columns / weight.GroupSize];
                Assert.True(Math.Abs(stored[i] - source[i]) <= 0.50001 * scale, $"{kind}, {form} [{i}]: {source[i]} became {stored[i]}, scale {scale}");
            }
        }
    }

    private void AssertGroups(float[] source, in WeightMatrix weight)
    {
        byte[] codes = Memory.Bytes(weight.Values);
        ushort[] scales = MemoryMarshal.Cast<byte, ushort>(Memory.Bytes(weight.Scales)).ToArray();
        byte[] zeros = Memory.Bytes(weight.ZeroPoints);
        for (int row = 0; row < weight.OutFeatures; row++)
        {
            for (int group = 0; group < weight.Scales.Columns; group++)
            {
                int start = row * weight.InFeatures + group * weight.GroupSize;
                int end = Math.Min(start + weight.GroupSize, (row + 1) * weight.InFeatures);
                float[] values = source[start..end];
                GroupGrid grid = GroupGrid.FromRange(values.Min(), values.Max());
                int index = row * weight.Scales.Columns + group;
                Assert.Equal(BFloat.FromSingle(grid.Scale), scales[index]);
                Assert.Equal(grid.ZeroPoint, zeros[index]);
                byte[] expected = Array.ConvertAll(
                    values, w => (byte)Math.Clamp(MathF.Round(w / grid.Scale + grid.ZeroPoint, MidpointRounding.ToEven), 0f, 255f));
                Compare.BitEqual<byte>(codes.AsSpan(start, end - start), expected, $"codes of row {row}, group {group}");
            }
        }
    }
}
