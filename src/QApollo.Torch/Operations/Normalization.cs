using QApollo.Devices;

namespace QApollo.Torch.Operations;

/// <summary>What SCALE, SinkGD and RACS do between sums of squares and the update.</summary>
internal static class Normalization
{
    /// <summary>Of slices in binary32; those of columns are joined in binary64.</summary>
    public static void SumSquares(TorchContext context, Tensor values, ChannelAxis axis, Tensor weights, Tensor sums)
    {
        using TorchContext.Frame frame = context.Open();
        TorchTensor result = context.View(sums);
        TorchTensor? weight = weights.IsAbsent ? null : context.View(weights);
        TorchTensor? columns = axis == ChannelAxis.Columns ? context.Filled(ScalarType.Float64, 0, 1, values.Columns) : null;
        for (int row = 0, rows = TorchContext.RowsPerSlice(values.Columns); row < values.Rows; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, values.Rows - row);
            TorchTensor squares = context.Single(values.RowRange(row, count));
            squares.mul_(squares);
            if (columns is null)
            {
                result.narrow(1, row, count).copy_((weight is null ? squares : squares.mul_(weight)).sum(1, false));
            }
            else
            {
                columns.Add((weight is null ? squares : squares.mul_(weight.narrow(1, row, count).t())).sum(0, true));
            }
        }

        if (columns is not null)
        {
            result.copy_(columns);
        }
    }

    public static void ScaleRows(TorchContext context, Tensor values, Tensor factors)
    {
        for (int row = 0, rows = TorchContext.RowsPerSlice(values.Columns); row < values.Rows; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, values.Rows - row);
            Tensor part = values.RowRange(row, count);
            context.View(part).copy_(context.Single(part).mul_(context.View(factors.ElementRange(row, count)).t()));
        }
    }

    public static void Reciprocal(TorchContext context, Tensor values, bool root, float scale, Tensor output)
    {
        for (int first = 0; first < values.Columns; first += TorchContext.SliceElements)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(TorchContext.SliceElements, values.Columns - first);
            TorchTensor x = context.Single(values.ElementRange(first, count));
            TorchTensor has = context.Copy(x, ScalarType.Float32).Gt(0).mul_(context.Copy(x, ScalarType.Float32).Lt(float.PositiveInfinity));
            TorchTensor divisor = root ? x.sqrt_() : x;
            context.View(output.ElementRange(first, count)).Fill(scale).div_(divisor).FillWhere(context.Mask(has.neg_().Add(1)), 0);
        }
    }

    public static void DivideBySquares(TorchContext context, Tensor values, Tensor divisors)
    {
        using TorchContext.Frame frame = context.Open();
        TorchTensor squares = Reductions.Sum(context, divisors, isSquares: true);
        for (int first = 0; first < values.Columns; first += TorchContext.SliceElements)
        {
            using TorchContext.Frame slice = context.Open();
            TorchTensor part = context.View(values.ElementRange(first, Math.Min(TorchContext.SliceElements, values.Columns - first)));
            part.copy_(context.Copy(part, ScalarType.Float64).div_(squares));
        }
    }

    public static void Average(TorchContext context, Tensor values, float decay, float oneMinusDecay, Tensor average)
    {
        for (long first = 0; first < values.Elements; first += TorchContext.SliceElements)
        {
            using TorchContext.Frame slice = context.Open();
            int count = (int)Math.Min(TorchContext.SliceElements, values.Elements - first);
            TorchTensor x = context.Single(values.ElementRange(first, count));
            TorchTensor isBad = context.Mask(context.Copy(x, ScalarType.Float32).abs_().Lt(float.PositiveInfinity).neg_().Add(1));

            // What stays is multiplied with 1, and gets 0.
            TorchTensor kept = context.Filled(ScalarType.Float32, decay, 1, count).FillWhere(isBad, 1);
            context.View(average.ElementRange(first, count)).mul_(kept).AddScaled(x.FillWhere(isBad, 0), oneMinusDecay);
        }
    }
}
