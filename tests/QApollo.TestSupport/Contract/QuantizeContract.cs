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
                    data.Add(rows, form.Columns(columns), form);
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
    [InlineData("least")]
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
            "least" => Array.ConvertAll(source, v => MathF.CopySign(float.Epsilon, v)),
            _ => Array.ConvertAll(source, v => v * 1e37f),
        };
        Tensor values = Memory.Upload(Array.ConvertAll(source, v => (double)v), DType.F32, Rows, Columns).Tensor;
        foreach (WeightForm form in (WeightForm[])[WeightForm.Int8By32, WeightForm.Int8By128, WeightForm.Int8By256, WeightForm.Int8By128Plus4, WeightForm.Int8By64Plus8, WeightForm.Int8By32Symmetric, WeightForm.Int8By128SymmetricPlus4])
        {
            WeightMatrix weight = Memory.EmptyWeight(Rows, Columns, form);
            Device.Quantize(values, weight);
            AssertGroups(source, weight);
            double[] stored = Memory.Values(weight);
            double[] scales = Memory.Read(weight.Scales);
            for (int i = 0; i < source.Length; i++)
            {
                double scale = scales[i / Columns * weight.Scales.Columns + i % Columns / weight.GroupSize];
                Assert.True(Math.Abs(stored[i] - source[i]) <= 0.50001 * scale / (1 << form.ResidualBits()) + 2e-5 * scale, $"{kind}, {form} [{i}]: {source[i]} became {stored[i]}, scale {scale}");
            }
        }
    }

    /// <summary>Residuals are for updates: what products and lookups read is the same with other ones.</summary>
    [Fact]
    public void Products_read_the_codes_alone()
    {
        const int Rows = 70, Columns = 300, Tokens = 5;
        WeightMatrix weight = Memory.Weight(new Samples(6).Normals(Rows * Columns), Rows, Columns, WeightForm.Int8By128Plus4);
        Memory.UseWorkspace(new WorkspaceRequest(default, Columns, Columns));
        Tensor input = Memory.Activation(new Samples(7).Normals(Tokens * Columns), Tokens, Columns).Tensor;
        Tensor gradient = Memory.Activation(new Samples(8).Normals(Tokens * Rows), Tokens, Rows).Tensor;
        Tensor output = Memory.Activation(Tokens, Rows), back = Memory.Activation(Tokens, Columns), looked = Memory.Activation(Tokens, Columns);
        byte[] Products()
        {
            Device.LinearForward(input, weight, output);
            Device.LinearInputGradient(gradient, weight, back, accumulate: false);
            Device.EmbeddingForward(weight, Memory.Upload([0, 69, 3, 3, 17]), looked);
            return [.. Memory.Bytes(output), .. Memory.Bytes(back), .. Memory.Bytes(looked)];
        }

        Tensor coarse = Memory.Zeros(DType.F32, Rows, Columns), fine = Memory.Zeros(DType.F32, Rows, Columns);
        byte[] before = Products();
        Device.Dequantize(weight with { Residuals = default }, coarse);
        Device.Dequantize(weight, fine);
        Assert.NotEqual(Memory.Floats(coarse), Memory.Floats(fine));
        byte[] other = [.. Enumerable.Range(0, Rows * Columns / 2).Select(i => (byte)(i * 37))];
        Device.Upload(other, weight.Residuals);
        Compare.BitEqual<byte>(Products(), before, "products and lookups");
        Device.Dequantize(weight with { Residuals = default }, fine);
        Compare.BitEqual<float>(Memory.Floats(fine), Memory.Floats(coarse), "values of the codes");
    }

    private void AssertGroups(float[] source, in WeightMatrix weight)
    {
        byte[] codes = Memory.Bytes(weight.Values);
        ushort[] scales = MemoryMarshal.Cast<byte, ushort>(Memory.Bytes(weight.Scales)).ToArray();
        byte[] zeros = Memory.Bytes(weight.ZeroPoints);
        sbyte[] residuals = Memory.Residuals(weight);
        for (int row = 0; row < weight.OutFeatures; row++)
        {
            for (int group = 0; group < weight.Scales.Columns; group++)
            {
                int start = row * weight.InFeatures + group * weight.GroupSize;
                int end = Math.Min(start + weight.GroupSize, (row + 1) * weight.InFeatures);
                float[] values = source[start..end];
                GroupGrid grid = GroupGrid.FromRange(values.Min(), values.Max(), weight.ZeroPointRule);
                int index = row * weight.Scales.Columns + group;
                Assert.Equal(BFloat.FromSingle(grid.Scale), scales[index]);
                Assert.Equal(grid.ZeroPoint, zeros[index]);
                int fine = 1 << weight.ResidualBits;
                float lowest = weight.ZeroPointRule == ZeroPointRule.Symmetric ? fine : 0f;
                int[] rounded = Array.ConvertAll(
                    values, w => (int)Math.Clamp(MathF.Round((w / grid.Scale + grid.ZeroPoint) * fine, MidpointRounding.ToEven), lowest, 255f * fine));
                byte[] expected = Array.ConvertAll(rounded, f => (byte)Math.Floor((f + fine / 2) / (double)fine));
                Compare.BitEqual<byte>(codes.AsSpan(start, end - start), expected, $"codes of row {row}, group {group}");
                sbyte[] rest = [.. rounded.Select((f, i) => (sbyte)(f - expected[i] * fine))];
                Compare.BitEqual<sbyte>(residuals.AsSpan(start, end - start), rest, $"residuals of row {row}, group {group}");
            }
        }
    }
}
