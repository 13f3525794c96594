using QApollo.Devices;

namespace QApollo.Torch.Operations;

/// <summary>
/// Causal attention, a head and a slice of queries at a time: the scores of a slice are explicit, those of a sequence never.
/// F32 operands are views of the buffers; BF16 ones are converted.
/// </summary>
internal static class Attention
{
    public static void Forward(
        TorchContext context, Tensor query, Tensor key, Tensor value, in AttentionShape shape, Tensor output, Tensor logSumExp, Tensor documentStarts)
    {
        using TorchContext.Frame frame = context.Open();
        TorchTensor q = context.View(query), k = context.View(key), v = context.View(value), o = context.View(output), l = context.View(logSumExp);
        var mask = new CausalMask(context, shape, documentStarts);
        for (int head = 0; head < shape.Batch * shape.Heads; head++)
        {
            using TorchContext.Frame one = context.Open();
            var at = new HeadCut(shape, head);
            TorchTensor keys = Operand(context, at.Keys(k)), values = Operand(context, at.Keys(v));
            for (int first = 0; first < shape.QueryLength; first += mask.Queries)
            {
                using TorchContext.Frame slice = context.Open();
                int count = Math.Min(mask.Queries, shape.QueryLength - first);
                int seen = shape.KeyLength - shape.QueryLength + first + count;
                TorchTensor scores = context.Take(ScalarType.Float32, count, seen);
                scores.addmm_(Operand(context, at.Queries(q, first, count)), keys.narrow(0, 0, seen).t(), 0, shape.Scale);
                mask.Apply(scores, at.Sequence, first);
                TorchTensor max = context.Take(ScalarType.Float32, count, 1);
                scores.amax([1], true, max).Dispose();
                TorchTensor sum = scores.sub_(max).exp_().sum(1, true);
                TorchTensor result = context.Take(ScalarType.Float32, count, shape.HeadDim);
                result.addmm_(scores, values.narrow(0, 0, seen), 0, 1).div_(sum);
                at.Queries(o, first, count).copy_(result);
                at.Statistics(l, first, count).copy_(sum.log_().Add(max));
            }
        }
    }

    public static void Backward(
        TorchContext context, Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor outputGradient, in AttentionShape shape,
        Tensor delta, Tensor queryGradient, Tensor keyGradient, Tensor valueGradient, Tensor documentStarts)
    {
        using TorchContext.Frame frame = context.Open();
        TorchTensor q = context.View(query), k = context.View(key), v = context.View(value), o = context.View(output), l = context.View(logSumExp);
        TorchTensor go = context.View(outputGradient), d = context.View(delta);
        TorchTensor dq = context.View(queryGradient), dk = context.View(keyGradient), dv = context.View(valueGradient);
        var mask = new CausalMask(context, shape, documentStarts);
        for (int head = 0; head < shape.Batch * shape.Heads; head++)
        {
            using TorchContext.Frame one = context.Open();
            var at = new HeadCut(shape, head);
            TorchTensor keys = Operand(context, at.Keys(k)), values = Operand(context, at.Keys(v));
            TorchTensor keySum = context.Filled(ScalarType.Float32, 0, shape.KeyLength, shape.HeadDim);
            TorchTensor valueSum = context.Filled(ScalarType.Float32, 0, shape.KeyLength, shape.HeadDim);
            for (int first = 0; first < shape.QueryLength; first += mask.Queries)
            {
                using TorchContext.Frame slice = context.Open();
                int count = Math.Min(mask.Queries, shape.QueryLength - first);
                int seen = shape.KeyLength - shape.QueryLength + first + count;
                TorchTensor seenKeys = keys.narrow(0, 0, seen), queries = Operand(context, at.Queries(q, first, count));
                TorchTensor gradient = Operand(context, at.Queries(go, first, count));
                TorchTensor p = context.Take(ScalarType.Float32, count, seen);
                p.addmm_(queries, seenKeys.t(), 0, shape.Scale);
                mask.Apply(p, at.Sequence, first);
                p.sub_(at.Statistics(l, first, count)).exp_();
                valueSum.narrow(0, 0, seen).addmm_(p.t(), gradient, 1, 1);
                TorchTensor rowDelta = at.Statistics(d, first, count);
                rowDelta.copy_(context.Copy(gradient, ScalarType.Float32).mul_(at.Queries(o, first, count)).sum(1, true));
                TorchTensor ds = context.Take(ScalarType.Float32, count, seen);
                ds.addmm_(gradient, values.narrow(0, 0, seen).t(), 0, 1).sub_(rowDelta).mul_(p);
                TorchTensor result = context.Take(ScalarType.Float32, count, shape.HeadDim);
                at.Queries(dq, first, count).copy_(result.addmm_(ds, seenKeys, 0, shape.Scale));
                keySum.narrow(0, 0, seen).addmm_(ds.t(), queries, 1, shape.Scale);
            }

            Accumulate(at.Keys(dk), keySum, at.IsFirstOfGroup);
            Accumulate(at.Keys(dv), valueSum, at.IsFirstOfGroup);
        }
    }

    private static void Accumulate(TorchTensor destination, TorchTensor sum, bool overwrite) =>
        destination.copy_(overwrite ? sum : sum.Add(destination));

    private static TorchTensor Operand(TorchContext context, TorchTensor view) =>
        view.dtype == ScalarType.Float32 ? view : context.Copy(view, ScalarType.Float32);

    /// <summary>Where the rows and columns of a head lie.</summary>
    private readonly struct HeadCut(AttentionShape shape, int number)
    {
        private readonly int _head = number % shape.Heads;

        public int Sequence { get; } = number / shape.Heads;

        /// <summary>Whether no other query head has yet been through the same key head.</summary>
        public bool IsFirstOfGroup => _head % shape.GroupHeads == 0;

        public TorchTensor Queries(TorchTensor tensor, int first, int count) =>
            tensor.narrow(0, (Sequence * shape.QueryLength) + first, count).narrow(1, (long)_head * shape.HeadDim, shape.HeadDim);

        public TorchTensor Keys(TorchTensor tensor) =>
            tensor.narrow(0, (long)Sequence * shape.KeyLength, shape.KeyLength).narrow(1, (long)_head / shape.GroupHeads * shape.HeadDim, shape.HeadDim);

        /// <summary>Of [heads, batch * queries]: [count, 1].</summary>
        public TorchTensor Statistics(TorchTensor tensor, int first, int count) =>
            tensor.select(0, _head).narrow(0, (Sequence * shape.QueryLength) + first, count).unsqueeze(1);
    }
}
