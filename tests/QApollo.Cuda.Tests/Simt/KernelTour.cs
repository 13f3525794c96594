using QApollo.Devices;
using QApollo.Quantization;
using QApollo.TestSupport;
using QApollo.TestSupport.Contract;

namespace QApollo.Cuda.Tests.Simt;

/// <summary>Every kernel family that has barriers or warp operations, on small data; the bytes of all results.</summary>
internal static class KernelTour
{
    private const int Tokens = 70;
    private const int Hidden = 96;
    private const int Wide = 264;
    private const int LongRow = 1032;

    /// <summary>Runs it in every order that the machine knows: a result that depends on who runs first betrays a missing barrier.</summary>
    public static void AssertEqualInEveryOrder(SimtLibrary library)
    {
        using CudaDevice device = library.Open();
        byte[] expected = Run(device);
        foreach (RunOrder order in (RunOrder[])[RunOrder.Descending, RunOrder.Shuffled])
        {
            library.SetOrder(order);
            try
            {
                Compare.BitEqual<byte>(Run(device), expected, order.ToString());
            }
            finally
            {
                library.SetOrder(RunOrder.Ascending);
            }
        }
    }

    public static byte[] Run(IDevice device)
    {
        using var memory = new DeviceMemory(device, 8 << 20);
        var samples = new Samples(1);
        List<Tensor> results = [];

        Tensor Output(DType dtype, int rows, int columns)
        {
            Tensor tensor = memory.Zeros(dtype, rows, columns);
            results.Add(tensor);
            return tensor;
        }

        Tensor Random(DType dtype, int rows, int columns) => memory.Upload(samples.Normals(rows * columns), dtype, rows, columns).Tensor;

        Tensor x = Random(DType.BF16, Tokens, Hidden);
        Norm(device, x, Random, Output);
        Norm(device, Random(DType.BF16, 3, LongRow), Random, Output);

        Tensor rowCodes = Output(DType.U8, Tokens, Hidden), rowScales = Output(DType.F32, 1, Tokens);
        device.QuantizeRows(x, new RandomStream(1, RandomPurpose.BoundaryRounding, 2, 3), 4, rowCodes, rowScales);
        device.DequantizeRows(rowCodes, rowScales, Output(DType.BF16, Tokens, Hidden));

        WeightMatrix weight = memory.Weight(samples.Normals(Wide * Hidden), Wide, Hidden, WeightForm.Int8By32Plus4);
        Tensor y = Output(DType.BF16, Tokens, Wide);
        Tensor dw = Output(DType.F32, Wide, Hidden);
        device.LinearForward(x, weight, y);
        device.LinearInputGradient(y, weight, Output(DType.BF16, Tokens, Hidden), false);
        device.LinearWeightGradient(y, x, dw, false);

        device.AddBias(y, Random(DType.F32, 1, Wide));
        device.BiasGradient(y, Output(DType.F32, 1, Wide), false);
        Tensor starts = memory.Upload(DocumentCuts.Starts(DocumentCut.Random, 2, Tokens));
        Attention(device, Random, Output, documentStarts: default);
        Attention(device, Random, Output, starts);

        Tensor labels = memory.Upload(samples.Integers(Tokens, 0, Wide));
        Tensor logSumExp = Output(DType.F32, 1, Tokens);
        device.CrossEntropyForward(y, labels, logSumExp, Output(DType.F32, 1, Tokens));

        Tensor squares = Output(DType.F32, 1, Wide);
        Tensor projected = Output(DType.F32, Wide, 1);
        Tensor coefficient = Output(DType.F32, 1, 1);
        Tensor total = Output(DType.F32, 1, 1);
        device.ApolloProject(dw, Random(DType.F32, 1, Hidden), projected, squares);
        device.ApolloProject(dw, Random(DType.F32, 5, Hidden), Output(DType.F32, Wide, 5), squares);
        var adam = new AdamScalars(0.9f, 0.999f, 0.1f, 0.001f, 1e-6f, 0.1f, 0.03f, BiasCorrection.StepSize);
        var apollo = new ApolloScalars(adam, 0.01f, 11.3f, false, true, true, false, TensorWise: true);
        device.ApolloScale(
            projected, squares, ChannelAxis.Rows, apollo, Output(DType.F32, Wide, 1), Output(DType.F32, Wide, 1), Output(DType.F32, 1, 1), coefficient, total,
            Output(DType.I64, 1, 1));
        var update = new UpdateScalars(0.99f, false, RoundingMode.Stochastic, RegridMode.Always, 0, 1, 2, 3);
        device.ApplyUpdate(weight, dw, coefficient, ChannelAxis.None, update, Output(DType.I64, 1, UpdateCounts.Length));
        results.Add(weight.Values);
        results.Add(weight.Residuals);

        int blocks = EightBitMap.Blocks(dw.Elements);
        device.AdamDirection8Bit(
            dw, Output(DType.U8, Wide, Hidden), Output(DType.U8, Wide, Hidden), Output(DType.F32, 1, blocks), Output(DType.F32, 1, blocks), adam, total);
        device.AccumulateSumOfSquares(dw, total);

        Tensor rows = Output(DType.F32, 1, Wide), columns = Output(DType.F32, 1, Hidden);
        device.SumSquares(dw, ChannelAxis.Rows, default, rows);
        device.SumSquares(dw, ChannelAxis.Columns, rows, columns);
        device.DivideBySquares(columns, rows);
        device.LimitGrowth(rows, rows, true, true, Output(DType.F32, 1, 1), columns, Output(DType.I64, 1, 1));
        return [.. results.SelectMany(memory.Bytes)];
    }

    private static void Norm(IDevice device, Tensor x, Func<DType, int, int, Tensor> random, Func<DType, int, int, Tensor> output)
    {
        Tensor weight = random(DType.F32, 1, x.Columns), normed = output(DType.BF16, x.Rows, x.Columns), inverse = output(DType.F32, 1, x.Rows);
        device.RmsNormForward(x, weight, 1e-6f, normed, inverse);
        device.RmsNormBackward(normed, x, weight, inverse, output(DType.BF16, x.Rows, x.Columns), false, output(DType.F32, 1, x.Columns), false);
    }

    private static void Attention(
        IDevice device, Func<DType, int, int, Tensor> random, Func<DType, int, int, Tensor> output, Tensor documentStarts)
    {
        var shape = new AttentionShape(2, Tokens, Tokens, 4, 2, 48);
        Tensor query = random(DType.BF16, shape.QueryRows, shape.QueryColumns);
        Tensor key = random(DType.BF16, shape.KeyRows, shape.KeyColumns);
        Tensor value = random(DType.BF16, shape.KeyRows, shape.KeyColumns);
        Tensor attended = output(DType.BF16, shape.QueryRows, shape.QueryColumns);
        Tensor logSumExp = output(DType.F32, shape.Heads, shape.QueryRows);
        device.AttentionForward(query, key, value, shape, attended, logSumExp, documentStarts);
        device.AttentionBackward(
            query, key, value, attended, logSumExp, random(DType.BF16, shape.QueryRows, shape.QueryColumns), shape,
            output(DType.F32, shape.Heads, shape.QueryRows), output(DType.BF16, shape.QueryRows, shape.QueryColumns),
            output(DType.BF16, shape.KeyRows, shape.KeyColumns), output(DType.BF16, shape.KeyRows, shape.KeyColumns), documentStarts);
    }
}
