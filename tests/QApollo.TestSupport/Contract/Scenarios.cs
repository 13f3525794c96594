using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.TestSupport.Contract;

/// <summary>One call of an operation that can be repeated, and what it writes.</summary>
public sealed record Scenario(string Name, Action Run, params Tensor[] Outputs);

/// <summary>Every operation once, with sizes that occupy several threads and end in partial blocks.</summary>
public static class Scenarios
{
    private const int N = 203, H = 144, I = 389, V = 1003;

    public static IEnumerable<Scenario> All(IDevice device, DeviceMemory memory)
    {
        var samples = new Samples(17);
        Operand Activation(int rows, int columns) => memory.Activation(samples.Normals(rows * columns), rows, columns);
        Operand Single(int rows, int columns) => memory.Upload(samples.Normals(rows * columns), DType.F32, rows, columns);
        var attention = new AttentionShape(7, 29, 29, 6, 3, 24);
        memory.UseWorkspace(new WorkspaceRequest(attention, H, V));
        DType logitType = device.Profile.LogitDType;
        Tensor x = Activation(N, H).Tensor, dy = Activation(N, I).Tensor, y = memory.Activation(N, I), dx = memory.Activation(N, H);
        Tensor total = Single(1, 1).Tensor;

        yield return new Scenario("copy", () => device.Copy(x, dx), dx);
        Tensor table = Single(300, 900).Tensor, half = memory.Zeros(DType.BF16, 300, 900);
        yield return new Scenario("convert", () => device.Copy(table, half), half);
        yield return new Scenario("zero", () => device.Zero(dx), dx);
        yield return new Scenario("fill", () => device.Fill(half, 0.3f), half);
        yield return new Scenario("fill normal", () => device.FillNormal(half, new RandomStream(1, RandomPurpose.Initialization, 1, 1), 4, 1), half);
        yield return new Scenario("sum", () => device.AccumulateSum(table, total), total);
        yield return new Scenario("sum of squares", () => device.AccumulateSumOfSquares(half, total), total);
        yield return new Scenario("transfer", () => device.AwaitTransfer(device.BeginTransfer(x, dx)), dx);

        foreach (WeightForm form in (WeightForm[])[WeightForm.BF16, WeightForm.Int8By32Plus4])
        {
            WeightMatrix weight = memory.Weight(samples.Normals(I * H), I, H, form);
            Tensor dw = Single(I, H).Tensor, bfloat = memory.Zeros(DType.BF16, I, H), wide = memory.Zeros(DType.F32, I, H);
            yield return new Scenario($"linear forward, {form}", () => device.LinearForward(x, weight, y, dy), y);
            yield return new Scenario($"linear input gradient, {form}", () => device.LinearInputGradient(dy, weight, dx, true), dx);
            yield return new Scenario($"linear weight gradient, {form}", () => device.LinearWeightGradient(dy, x, form == WeightForm.BF16 ? bfloat : dw, true), dw, bfloat);
            foreach (WeightUse use in Enum.GetValues<WeightUse>())
            {
                long bytes = device.Profile.ExpandedWeightBytes(I, H, use);
                if (bytes > 0)
                {
                    Tensor expansion = memory.Zeros(DType.U8, 1, (int)bytes);
                    yield return new Scenario($"expand weight, {form}, {use}", () => device.ExpandWeight(weight, use, expansion), expansion);
                }
            }

            Tensor weightGradient = memory.Upload(samples.Normals(I * H, 1e-3), DType.BF16, I, H).Tensor;
            Tensor one = memory.Upload([1.0], DType.F32, 1, 1).Tensor, counts = memory.Counts();
            uint step = 0;
            foreach (RoundingMode rounding in Enum.GetValues<RoundingMode>())
            {
                yield return new Scenario(
                    $"apply update, {form}, {rounding}",
                    () => device.ApplyUpdate(weight, weightGradient, one, ChannelAxis.None, new UpdateScalars(0.999f, false, rounding, RegridMode.WhenNeeded, 0, 1, 2, ++step), counts),
                    weight.IsQuantized ? [weight.Values, weight.Scales, weight.ZeroPoints, weight.Residuals, counts] : [weight.Values, counts]);
            }

            yield return new Scenario($"quantize, {form}", () => device.Quantize(dw, weight), weight.Values);
            yield return new Scenario($"dequantize, {form}", () => device.Dequantize(weight, wide), wide);
        }

        WeightMatrix embedding = memory.Weight(samples.Normals(V * H), V, H, WeightForm.Int8By128);
        int[] tokens = samples.Integers(N, 0, V);
        Tensor tokenTensor = memory.Upload(tokens), tableGradient = memory.Zeros(DType.F32, V, H);
        TokenIndex index = EmbeddingContract.Index(memory, tokens, 0, V);
        yield return new Scenario("embedding forward", () => device.EmbeddingForward(embedding, tokenTensor, dx), dx);
        yield return new Scenario("embedding backward", () => device.EmbeddingBackward(x, index, 0, tableGradient), tableGradient);

        Tensor gain = Single(1, H).Tensor, inverse = memory.Zeros(DType.F32, 1, N), gainGradient = memory.Zeros(DType.F32, 1, H);
        yield return new Scenario("rmsnorm forward", () => device.RmsNormForward(x, gain, 1e-6f, dx, inverse), dx, inverse);
        Tensor normGradient = Activation(N, H).Tensor;
        yield return new Scenario("rmsnorm backward", () => device.RmsNormBackward(normGradient, x, gain, inverse, dx, true, gainGradient, true), dx, gainGradient);

        Tensor codes = memory.Zeros(DType.U8, N, H), codeScales = memory.Zeros(DType.F32, 1, N);
        uint roundingStep = 0;
        yield return new Scenario(
            "quantize rows", () => device.QuantizeRows(x, new RandomStream(1, RandomPurpose.BoundaryRounding, 2, ++roundingStep), 7, codes, codeScales), codes, codeScales);
        yield return new Scenario("dequantize rows", () => device.DequantizeRows(codes, codeScales, dx), dx);

        Tensor biased = Activation(N, I).Tensor, bias = Single(1, I).Tensor, biasGradient = memory.Zeros(DType.F32, 1, I);
        yield return new Scenario("add bias", () => device.AddBias(biased, bias), biased);
        yield return new Scenario("bias gradient", () => device.BiasGradient(dy, biasGradient, true), biasGradient);

        Tensor cosine = Single(29, 12).Tensor, sine = Single(29, 12).Tensor, rotated = Activation(N, H).Tensor;
        yield return new Scenario("rotary", () => device.RotaryEmbedding(rotated, cosine, sine, 29, 0, false), rotated);

        Tensor q = Activation(N, H).Tensor, k = Activation(N, H / 2).Tensor, v = Activation(N, H / 2).Tensor;
        Tensor output = memory.Activation(N, H), logSumExp = memory.Zeros(DType.F32, 6, N), delta = memory.Zeros(DType.F32, 6, N);
        Tensor dq = memory.Activation(N, H), dk = memory.Activation(N, H / 2), dv = memory.Activation(N, H / 2);
        yield return new Scenario("attention forward", () => device.AttentionForward(q, k, v, attention, output, logSumExp), output, logSumExp);
        yield return new Scenario(
            "attention backward", () => device.AttentionBackward(q, k, v, output, logSumExp, x, attention, delta, dq, dk, dv), dq, dk, dv);

        Tensor starts = memory.Upload(DocumentCuts.Starts(DocumentCut.Random, attention.Batch, attention.QueryLength));
        yield return new Scenario("rotary, documents", () => device.RotaryEmbedding(rotated, cosine, sine, 29, 0, false, starts), rotated);
        yield return new Scenario(
            "attention forward, documents", () => device.AttentionForward(q, k, v, attention, output, logSumExp, starts), output, logSumExp);
        yield return new Scenario(
            "attention backward, documents",
            () => device.AttentionBackward(q, k, v, output, logSumExp, x, attention, delta, dq, dk, dv, starts), dq, dk, dv);

        Tensor gate = Activation(N, I).Tensor, up = Activation(N, I).Tensor, upGradient = memory.Activation(N, I);
        yield return new Scenario("swiglu forward", () => device.SwiGluForward(gate, up, y), y);
        yield return new Scenario("swiglu backward", () => device.SwiGluBackward(gate, up, dy, y, upGradient), y, upGradient);

        Tensor logits = memory.Upload(samples.Normals(N * V), logitType, N, V).Tensor, labels = memory.Upload(samples.Integers(N, -1, V));
        Tensor rowSum = memory.Zeros(DType.F32, 1, N), losses = memory.Zeros(DType.F32, 1, N);
        yield return new Scenario("cross-entropy forward", () => device.CrossEntropyForward(logits, labels, rowSum, losses), rowSum, losses);
        yield return new Scenario("cross-entropy backward", () => device.CrossEntropyBackward(logits, labels, rowSum, 0, 0.01f), logits);

        foreach ((int m, int n) in ((int, int)[])[(I, H), (H, I)])
        {
            const int Rank = 5;
            bool rows = m >= n;
            Tensor gradient = Single(m, n).Tensor, projection = rows ? Single(Rank, n).Tensor : Single(m, Rank).Tensor;
            Tensor projected = memory.Zeros(DType.F32, rows ? m : Rank, rows ? Rank : n), squares = memory.Zeros(DType.F32, 1, I);
            yield return new Scenario($"apollo project [{m}, {n}]", () => device.ApolloProject(gradient, projection, projected, squares), projected, squares);
            Tensor m1 = memory.Zeros(DType.F32, projected.Rows, projected.Columns), m2 = memory.Zeros(DType.F32, projected.Rows, projected.Columns);
            Tensor norm = memory.Zeros(DType.F32, 1, 1), coefficients = memory.Zeros(DType.F32, 1, I), limited = memory.Zeros(DType.I64, 1, 1);
            var scalars = new ApolloScalars(AdamContract.Scalars(1, BiasCorrection.StepSize), 0.01f, 1, false, true, false, false, false);
            yield return new Scenario(
                $"apollo scale [{m}, {n}]",
                () => device.ApolloScale(projected, squares, rows ? ChannelAxis.Rows : ChannelAxis.Columns, scalars, m1, m2, norm, coefficients, total, limited),
                m1, m2, norm, coefficients, total, limited);
        }

        Tensor matrix = Single(300, 900).Tensor, rowSums = Single(1, 300).Tensor, columnSums = Single(1, 900).Tensor, average = Single(300, 900).Tensor;
        Tensor growthNorm = memory.Zeros(DType.F32, 1, 1), growths = memory.Zeros(DType.I64, 1, 1);
        yield return new Scenario("sum squares, columns", () => device.SumSquares(matrix, ChannelAxis.Columns, rowSums, columnSums), columnSums);
        yield return new Scenario("sum squares, rows", () => device.SumSquares(matrix, ChannelAxis.Rows, columnSums, rowSums), rowSums);
        yield return new Scenario("average", () => device.Average(matrix, 0.9f, 0.1f, average), average);
        yield return new Scenario("divide by squares", () => device.DivideBySquares(columnSums, rowSums), columnSums);
        yield return new Scenario("reciprocal", () => device.Reciprocal(columnSums, true, 0.3f, columnSums), columnSums);
        yield return new Scenario(
            "limit growth", () => device.LimitGrowth(rowSums, rowSums, true, false, growthNorm, columnSums, growths), growthNorm, columnSums, growths);
        yield return new Scenario("scale rows", () => device.ScaleRows(matrix, rowSums), matrix);

        Tensor direction = Single(300, 201).Tensor, first = memory.Zeros(DType.F32, 300, 201), second = memory.Zeros(DType.F32, 300, 201);
        AdamScalars adam = AdamContract.Scalars(3, BiasCorrection.Direction);
        yield return new Scenario("adam", () => device.AdamDirection(direction, first, second, adam, total), direction, first, second, total);
        int blocks = EightBitMap.Blocks(direction.Elements);
        Tensor code1 = memory.Zeros(DType.U8, 300, 201), code2 = memory.Zeros(DType.U8, 300, 201);
        Tensor scale1 = memory.Zeros(DType.F32, 1, blocks), scale2 = memory.Zeros(DType.F32, 1, blocks);
        yield return new Scenario(
            "adam 8-bit", () => device.AdamDirection8Bit(direction, code1, code2, scale1, scale2, adam, total), direction, code1, code2, scale1, scale2, total);
    }
}
