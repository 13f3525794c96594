using QApollo.Devices;
using QApollo.Quantization;
using QApollo.TestSupport.Contract;

namespace QApollo.TestSupport.Costs;

/// <summary>
/// The operations of a training step on shapes of LLaMA-7B, for counting and for timing: each matrix has the model's length of sums
/// and of rows; how many rows, heads and tokens there are is the size of the case.
/// </summary>
public static class CostCases
{
    /// <summary>Of attention, and of the sums in weight gradients.</summary>
    public const int SequenceLength = 1024;

    private const int Hidden = 4096, Intermediate = 11008, Vocabulary = 32_000, HeadDim = 128;

    /// <param name="slice">Whole tiles of products, few rows of the rest: enough for counts that scale. Else a step's own size at 1,024 tokens.</param>
    public static IEnumerable<Scenario> All(IDevice device, DeviceMemory memory, bool slice)
    {
        var samples = new Samples(3);
        int tokens = slice ? 128 : 1024, features = slice ? 128 : Hidden, rows = slice ? 64 : 1024, heads = slice ? 1 : 32;
        var attention = new AttentionShape(1, SequenceLength, SequenceLength, heads, heads, HeadDim);
        memory.UseWorkspace(new WorkspaceRequest(attention, Hidden, Vocabulary));
        return Products().Concat(Attention()).Concat(Passes()).Concat(Optimizer()).Concat(Normalization());

        Tensor Random(DType dtype, int m, int n) => memory.Upload(samples.Normals(m * n), dtype, m, n).Tensor;

        IEnumerable<Scenario> Products()
        {
            Tensor x = Random(DType.BF16, tokens, Hidden), y = Random(DType.BF16, tokens, features);
            Tensor wide = Random(DType.BF16, tokens, Hidden), narrow = memory.Zeros(DType.BF16, tokens, features);
            foreach (WeightForm form in (WeightForm[])[WeightForm.Int8By128, WeightForm.BF16])
            {
                // Sums over 4,096: forward along a row of the matrix, backward along a column.
                WeightMatrix forward = memory.Weight(samples.Normals(features * Hidden), features, Hidden, form);
                WeightMatrix backward = memory.Weight(samples.Normals(Hidden * features), Hidden, features, form);
                yield return new Scenario("linear forward", () => device.LinearForward(x, forward, narrow), narrow);
                yield return new Scenario("linear input gradient", () => device.LinearInputGradient(wide, backward, narrow, false), narrow);
            }

            // Sums over the tokens of a micro-batch.
            Tensor dy = Random(DType.BF16, SequenceLength, features), input = Random(DType.BF16, SequenceLength, features);
            foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
            {
                Tensor gradient = memory.Zeros(dtype, features, features);
                yield return new Scenario("linear weight gradient", () => device.LinearWeightGradient(dy, input, gradient, false), gradient);
            }
        }

        IEnumerable<Scenario> Attention()
        {
            Tensor[] inputs = [.. Enumerable.Range(0, 4).Select(_ => Random(DType.BF16, SequenceLength, heads * HeadDim))];
            Tensor[] gradients = [.. Enumerable.Range(0, 3).Select(_ => memory.Zeros(DType.BF16, SequenceLength, heads * HeadDim))];
            Tensor output = memory.Zeros(DType.BF16, SequenceLength, heads * HeadDim);
            Tensor logSumExp = memory.Zeros(DType.F32, heads, SequenceLength), delta = memory.Zeros(DType.F32, heads, SequenceLength);
            yield return new Scenario(
                "attention forward", () => device.AttentionForward(inputs[0], inputs[1], inputs[2], attention, output, logSumExp), output);
            yield return new Scenario(
                "attention backward",
                () => device.AttentionBackward(
                    inputs[0], inputs[1], inputs[2], output, logSumExp, inputs[3], attention, delta, gradients[0], gradients[1], gradients[2]),
                gradients);
            Tensor cosine = Random(DType.F32, SequenceLength, HeadDim / 2), sine = Random(DType.F32, SequenceLength, HeadDim / 2);
            yield return new Scenario("rotary embedding", () => device.RotaryEmbedding(inputs[0], cosine, sine, SequenceLength, 0, false), inputs[0]);
        }

        IEnumerable<Scenario> Passes()
        {
            // Its blocks leave one row of partial sums each: as many rows as blocks, at least.
            int normRows = Math.Max(rows, 256);
            Tensor x = Random(DType.BF16, normRows, Hidden), dy = Random(DType.BF16, normRows, Hidden), result = memory.Zeros(DType.BF16, normRows, Hidden);
            Tensor gain = Random(DType.F32, 1, Hidden), inverse = memory.Zeros(DType.F32, 1, normRows), gainGradient = memory.Zeros(DType.F32, 1, Hidden);
            yield return new Scenario("rmsnorm forward", () => device.RmsNormForward(x, gain, 1e-6f, result, inverse), result);
            yield return new Scenario("rmsnorm backward", () => device.RmsNormBackward(dy, x, gain, inverse, result, true, gainGradient, true), result);

            // Norms of heads: a row per token and head, of 8 heads.
            const int HeadRows = 8 * SequenceLength;
            Tensor heads = Random(DType.BF16, HeadRows, HeadDim), headGradient = Random(DType.BF16, HeadRows, HeadDim), headResult = memory.Zeros(DType.BF16, HeadRows, HeadDim);
            Tensor headGain = Random(DType.F32, 1, HeadDim), headInverse = memory.Zeros(DType.F32, 1, HeadRows), headGainGradient = memory.Zeros(DType.F32, 1, HeadDim);
            yield return new Scenario("rmsnorm forward of heads", () => device.RmsNormForward(heads, headGain, 1e-6f, headResult, headInverse), headResult);
            yield return new Scenario(
                "rmsnorm backward of heads",
                () => device.RmsNormBackward(headGradient, heads, headGain, headInverse, headResult, false, headGainGradient, true), headResult);

            Tensor bias = Random(DType.F32, 1, Hidden), biasGradient = memory.Zeros(DType.F32, 1, Hidden);
            yield return new Scenario("add bias", () => device.AddBias(result, bias), result);
            yield return new Scenario("bias gradient", () => device.BiasGradient(dy, biasGradient, true), biasGradient);

            Tensor codes = memory.Zeros(DType.U8, rows, Hidden), scales = memory.Zeros(DType.F32, 1, rows);
            var stream = new RandomStream(1, RandomPurpose.BoundaryRounding, 2, 3);
            yield return new Scenario("quantize rows", () => device.QuantizeRows(x.RowRange(0, rows), stream, 0, codes, scales), codes);
            yield return new Scenario("dequantize rows", () => device.DequantizeRows(codes, scales, result.RowRange(0, rows)), result);

            Tensor gate = Random(DType.BF16, rows, Intermediate), up = Random(DType.BF16, rows, Intermediate);
            Tensor first = memory.Zeros(DType.BF16, rows, Intermediate), second = memory.Zeros(DType.BF16, rows, Intermediate);
            yield return new Scenario("swiglu forward", () => device.SwiGluForward(gate, up, first), first);
            yield return new Scenario("swiglu backward", () => device.SwiGluBackward(gate, up, up, first, second), first);

            int logitRows = slice ? 16 : 1024;
            Tensor logits = Random(DType.BF16, logitRows, Vocabulary), labels = memory.Upload(samples.Integers(logitRows, 0, Vocabulary));
            Tensor rowSum = memory.Zeros(DType.F32, 1, logitRows), losses = memory.Zeros(DType.F32, 1, logitRows);
            yield return new Scenario("cross-entropy forward", () => device.CrossEntropyForward(logits, labels, rowSum, losses), rowSum);
            yield return new Scenario("cross-entropy backward", () => device.CrossEntropyBackward(logits, labels, rowSum, 0, 1), logits);

            int words = slice ? 256 : Vocabulary;
            int[] ids = samples.Integers(rows, 0, words);
            Tensor tokenIds = memory.Upload(ids), embedded = Random(DType.BF16, rows, Hidden), table = memory.Zeros(DType.F32, words, Hidden);
            WeightMatrix embedding = memory.Weight(samples.Normals(words * Hidden), words, Hidden, WeightForm.BF16);
            TokenIndex index = EmbeddingContract.Index(memory, ids, 0, words);
            yield return new Scenario("embedding forward", () => device.EmbeddingForward(embedding, tokenIds, embedded), embedded);
            yield return new Scenario("embedding backward", () => device.EmbeddingBackward(embedded, index, 0, table), table);
        }

        IEnumerable<Scenario> Optimizer()
        {
            int channels = slice ? 128 : Hidden;
            Tensor total = memory.Zeros(DType.F32, 1, 1), counts = memory.Counts(), one = memory.Upload([1.0], DType.F32, 1, 1).Tensor;
            foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
            {
                // A row per channel where there are as many as columns; a column per channel in wide matrices.
                Tensor gradient = Random(dtype, channels, Hidden), projection = Random(DType.F32, channels, 1);
                Tensor projected = memory.Zeros(DType.F32, 1, Hidden), squares = memory.Zeros(DType.F32, 1, Hidden);
                yield return new Scenario("apollo project", () => device.ApolloProject(gradient, projection, projected, squares), projected);
                foreach (WeightForm form in (WeightForm[])[WeightForm.Int8By128, WeightForm.Int8By128Plus4, WeightForm.BF16])
                {
                    WeightMatrix weight = memory.Weight(samples.Normals(channels * Hidden), channels, Hidden, form);
                    var scalars = new UpdateScalars(1, false, RoundingMode.LowDiscrepancy, RegridMode.WhenNeeded, 0, 1, 2, 3);
                    yield return new Scenario("apply update", () => device.ApplyUpdate(weight, gradient, one, ChannelAxis.None, scalars, counts), weight.Values);
                }

                yield return new Scenario("sum of squares", () => device.AccumulateSumOfSquares(gradient, total), total);
            }

            Tensor projectedMoments = Random(DType.F32, 1, Intermediate), channelSquares = Random(DType.F32, 1, Intermediate);
            Tensor moment1 = memory.Zeros(DType.F32, 1, Intermediate), moment2 = memory.Zeros(DType.F32, 1, Intermediate);
            var adam = new AdamScalars(0.9f, 0.999f, 0.1f, 0.001f, 1e-6f, 0.1f, 0.03f, BiasCorrection.StepSize);
            var apollo = new ApolloScalars(adam, 0.01f, 1, false, true, true, false, TensorWise: true);
            Tensor limiter = memory.Zeros(DType.F32, 1, 1), coefficient = memory.Zeros(DType.F32, 1, 1), limited = memory.Zeros(DType.I64, 1, 1);
            yield return new Scenario(
                "apollo scale",
                () => device.ApolloScale(projectedMoments, channelSquares, ChannelAxis.Columns, apollo, moment1, moment2, limiter, coefficient, total, limited),
                coefficient);

            Tensor direction = Random(DType.F32, channels, Hidden), m1 = memory.Zeros(DType.F32, channels, Hidden), m2 = memory.Zeros(DType.F32, channels, Hidden);
            yield return new Scenario("adam", () => device.AdamDirection(direction, m1, m2, adam, total), direction);
            int blocks = EightBitMap.Blocks(direction.Elements);
            Tensor code1 = memory.Zeros(DType.U8, channels, Hidden), code2 = memory.Zeros(DType.U8, channels, Hidden);
            Tensor scale1 = memory.Zeros(DType.F32, 1, blocks), scale2 = memory.Zeros(DType.F32, 1, blocks);
            yield return new Scenario("adam 8-bit", () => device.AdamDirection8Bit(direction, code1, code2, scale1, scale2, adam, total), direction);
        }

        // Of SCALE, SinkGD and RACS, which divide gradients by norms of rows and columns.
        IEnumerable<Scenario> Normalization()
        {
            int channels = slice ? 128 : Hidden;
            Tensor rowFactors = Random(DType.F32, 1, channels), columnFactors = Random(DType.F32, 1, Hidden), average = memory.Zeros(DType.F32, channels, Hidden);
            foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
            {
                Tensor gradient = Random(dtype, channels, Hidden), sums = memory.Zeros(DType.F32, 1, channels);
                yield return new Scenario("sum squares", () => device.SumSquares(gradient, ChannelAxis.Rows, columnFactors, sums), sums);
                yield return new Scenario("scale rows", () => device.ScaleRows(gradient, rowFactors), gradient);
                yield return new Scenario("average", () => device.Average(gradient, 0.9f, 0.1f, average), average);
            }

            Tensor reciprocals = memory.Zeros(DType.F32, 1, Hidden), norm = memory.Zeros(DType.F32, 1, 1), limited = memory.Zeros(DType.I64, 1, 1);
            yield return new Scenario("reciprocal", () => device.Reciprocal(columnFactors, true, 1, reciprocals), reciprocals);
            yield return new Scenario("divide by squares", () => device.DivideBySquares(columnFactors, rowFactors), columnFactors);
            yield return new Scenario("limit growth", () => device.LimitGrowth(rowFactors, rowFactors, true, false, norm, columnFactors, limited), columnFactors);
        }
    }
}
