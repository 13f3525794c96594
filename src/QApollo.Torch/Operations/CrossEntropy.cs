using QApollo.Devices;

namespace QApollo.Torch.Operations;

/// <summary>Softmax cross-entropy per row of logits.</summary>
internal static class CrossEntropy
{
    public static void Forward(TorchContext context, Tensor logits, Tensor labels, Tensor logSumExp, Tensor losses)
    {
        for (int row = 0, rows = TorchContext.RowsPerSlice(logits.Columns); row < logits.Rows; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, logits.Rows - row);
            TorchTensor x = context.Single(logits.RowRange(row, count));
            TorchTensor label = context.Copy(context.View(labels.ElementRange(row, count)).view(count, 1), ScalarType.Int64);
            TorchTensor isIgnored = context.Mask(context.Copy(label, ScalarType.Int64).Lt(0));
            TorchTensor picked = x.gather(1, label.AtLeast(0));
            TorchTensor max = context.Take(ScalarType.Float32, count, 1);
            x.amax([1], true, max).Dispose();
            TorchTensor total = x.sub_(max).exp_().sum(1, true).log_().Add(max);
            context.View(logSumExp.ElementRange(row, count)).view(count, 1).copy_(total);
            context.View(losses.ElementRange(row, count)).view(count, 1).copy_(total.sub_(picked).FillWhere(isIgnored, 0));
        }
    }

    public static void Backward(TorchContext context, Tensor logits, Tensor labels, Tensor logSumExp, int firstColumn, float scale)
    {
        int columns = logits.Columns;
        for (int row = 0, rows = TorchContext.RowsPerSlice(columns); row < logits.Rows; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, logits.Rows - row);
            TorchTensor stored = context.View(logits.RowRange(row, count));
            TorchTensor x = context.Copy(stored, ScalarType.Float32);
            TorchTensor label = context.Copy(context.View(labels.ElementRange(row, count)).view(count, 1), ScalarType.Int64);
            TorchTensor isIgnored = context.Mask(context.Copy(label, ScalarType.Int64).Lt(0));
            label.Sub(firstColumn);
            TorchTensor isHere = context.Copy(label, ScalarType.Float32).Ge(0).mul_(context.Copy(label, ScalarType.Float32).Lt(columns));
            x.sub_(context.View(logSumExp.ElementRange(row, count)).view(count, 1)).exp_().Mul(scale);
            x.scatter_add_(1, label.Clamp(0, columns - 1), isHere.Mul(-scale));
            stored.copy_(x.FillWhere(isIgnored, 0));
        }
    }
}
