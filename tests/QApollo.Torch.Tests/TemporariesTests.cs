using QApollo.Devices;
using QApollo.Quantization;
using QApollo.TestSupport.Contract;
using Xunit;

namespace QApollo.Torch.Tests;

/// <summary>The table of docs/torch.md: what operations cut from the workspace, in bytes for each element of a slice.</summary>
public sealed class TemporariesTests
{
    /// <summary>Four slices.</summary>
    private const int Rows = 512, Columns = 1024;

    public static TheoryData<string, double> Table => new()
    {
        { "update, INT8", 64.5 },
        { "update, INT8 + 4", 80.5 },
        { "update, INT8 + 8", 73 },
        { "update, BF16", 24 },
        { "update, F32", 12 },
        { "quantize", 16 },
        { "dequantize", 4 },
        { "quantize, 4 residual bits", 22 },
        { "dequantize, 4 residual bits", 14 },
        { "normal values", 32 },
        { "adam", 21 },
        { "adam, 8 bits", 37 },
        { "swiglu forward", 8 },
        { "swiglu backward", 20 },
        { "rmsnorm forward", 8 },
        { "rmsnorm backward", 12 },
        { "cross-entropy forward", 4 },
        { "cross-entropy backward", 4 },
        { "rotary embedding", 8 },
        { "sum", 8 },
        { "to BF16", 5 },
        { "apollo project", 4 },
        { "sum squares of rows", 4 },
        { "sum squares of columns", 4 },
        { "scale rows", 4 },
        { "average", 13 },
        { "add bias", 0 },
        { "bias gradient", 4 },
        { "copy", 0 },
        { "fill", 0 },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public void Temporaries_are_those_of_the_table(string operation, double bytesPerElement)
    {
        using TorchDevice device = TorchDevice.OpenCpu(threads: 2);
        using var memory = new DeviceMemory(device);
        memory.UseWorkspace(new WorkspaceRequest(default, Columns, Columns));
        Action run = Operation(operation, device, memory);
        device.Context.MostUsed = 0;

        run();

        // Beside the slice there may be a few numbers for each row or column.
        Assert.Equal(bytesPerElement, (double)device.Context.MostUsed / TorchContext.SliceElements, 0.5);
    }

    private static Action Operation(string name, TorchDevice device, DeviceMemory memory)
    {
        Tensor a = Single(Rows, Columns), b = Single(Rows, Columns), c = Single(Rows, Columns), d = Single(Rows, Columns), total = Single(1, 1);
        Tensor row = Single(1, Columns), column = Single(1, Rows), labels = memory.Zeros(DType.I32, 1, Rows);
        AdamScalars adam = AdamContract.Scalars(3, BiasCorrection.Direction);
        return name switch
        {
            "update, INT8" => Update(WeightForm.Int8By128),
            "update, INT8 + 4" => Update(WeightForm.Int8By128Plus4),
            "update, INT8 + 8" => Update(WeightForm.Int8By64Plus8),
            "update, BF16" => Update(WeightForm.BF16),
            "update, F32" => Update(WeightForm.F32),
            "quantize" => Quantize(WeightForm.Int8By128),
            "quantize, 4 residual bits" => Quantize(WeightForm.Int8By128Plus4),
            "dequantize" => Dequantize(WeightForm.Int8By128),
            "dequantize, 4 residual bits" => Dequantize(WeightForm.Int8By128Plus4),
            "normal values" => () => device.FillNormal(a, new RandomStream(1, RandomPurpose.Initialization, 1, 1), 0, 1),
            "adam" => () => device.AdamDirection(a, b, c, adam, total),
            "adam, 8 bits" => EightBitAdam(),
            "swiglu forward" => () => device.SwiGluForward(a, b, c),
            "swiglu backward" => () => device.SwiGluBackward(a, b, c, d, d),
            "rmsnorm forward" => () => device.RmsNormForward(a, row, 1e-6f, b, column),
            "rmsnorm backward" => () => device.RmsNormBackward(a, b, row, column, c, true, row, true),
            "cross-entropy forward" => () => device.CrossEntropyForward(a, labels, column, column),
            "cross-entropy backward" => () => device.CrossEntropyBackward(a, labels, column, 0, 1),
            "rotary embedding" => Rotary(),
            "sum" => () => device.AccumulateSum(a, total),
            "to BF16" => () => device.Copy(a, memory.Zeros(DType.BF16, Rows, Columns)),
            "apollo project" => () => device.ApolloProject(a, column with { Rows = Rows, Columns = 1 }, row, Single(1, Columns)),
            "sum squares of rows" => () => device.SumSquares(a, ChannelAxis.Rows, row, column),
            "sum squares of columns" => () => device.SumSquares(a, ChannelAxis.Columns, column, row),
            "scale rows" => () => device.ScaleRows(a, column),
            "average" => () => device.Average(a, 0.9f, 0.1f, b),
            "add bias" => () => device.AddBias(a, row),
            "bias gradient" => () => device.BiasGradient(a, row, true),
            "copy" => () => device.Copy(a, b),
            "fill" => () => device.Fill(a, 1),
            _ => throw new ArgumentOutOfRangeException(nameof(name), name, "unknown operation"),
        };

        Tensor Single(int rows, int columns) => memory.Zeros(DType.F32, rows, columns);

        Action Update(WeightForm form)
        {
            (WeightMatrix weight, Tensor counts) = (memory.EmptyWeight(Rows, Columns, form), memory.Counts());
            var scalars = new UpdateScalars(0.999f, false, RoundingMode.LowDiscrepancy, RegridMode.WhenNeeded, 0, 1, 2, 3);
            return () => device.ApplyUpdate(weight, a, total, ChannelAxis.None, scalars, counts);
        }

        Action Quantize(WeightForm form)
        {
            WeightMatrix weight = memory.EmptyWeight(Rows, Columns, form);
            return () => device.Quantize(a, weight);
        }

        Action Dequantize(WeightForm form)
        {
            WeightMatrix weight = memory.EmptyWeight(Rows, Columns, form);
            return () => device.Dequantize(weight, a);
        }

        Action EightBitAdam()
        {
            Tensor code1 = memory.Zeros(DType.U8, Rows, Columns), code2 = memory.Zeros(DType.U8, Rows, Columns);
            int blocks = EightBitMap.Blocks(a.Elements);
            Tensor scale1 = memory.Zeros(DType.F32, 1, blocks), scale2 = memory.Zeros(DType.F32, 1, blocks);
            return () => device.AdamDirection8Bit(a, code1, code2, scale1, scale2, adam, total);
        }

        Action Rotary()
        {
            Tensor cosine = Single(Rows, 64), sine = Single(Rows, 64);
            return () => device.RotaryEmbedding(a, cosine, sine, Rows, 0, false);
        }
    }
}
