using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Torch.Operations;

/// <summary>Rows of activations as INT8 codes with a scale each, rounded stochastically; in slices of rows, in F32.</summary>
internal static class RowCodes
{
    public static void Quantize(TorchContext context, Tensor values, in RandomStream stream, long firstRow, Tensor codes, Tensor scales)
    {
        using TorchContext.Frame frame = context.Open();
        int columns = values.Columns, wordsPerRow = RowGrid.Words(columns);
        for (int row = 0, rows = TorchContext.RowsPerSlice(wordsPerRow); row < values.Rows; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, values.Rows - row);
            TorchTensor x = context.Single(values.RowRange(row, count));
            TorchTensor scale = context.View(scales).view(-1, 1).narrow(0, row, count);

            // A largest value of NaN stays NaN; with what follows, infinity becomes NaN too.
            TorchTensor magnitude = context.Copy(x, ScalarType.Float32).abs_().amax([1L], true);
            TorchTensor isFinite = context.Mask(context.Copy(magnitude, ScalarType.Float32).Le(float.MaxValue));
            TorchTensor hasCodes = context.Mask(context.Copy(magnitude, ScalarType.Float32).Ge(RowGrid.LeastMagnitude)).logical_and_(isFinite);
            TorchTensor none = context.Copy(hasCodes, ScalarType.Bool).logical_not_();
            TorchTensor one = context.Copy(magnitude, ScalarType.Float32).FillWhere(none, 1);
            TorchTensor inverse = context.Filled(ScalarType.Float32, RowGrid.Largest, count, 1).div_(one);
            scale.copy_(one.div_(context.Filled(ScalarType.Float32, RowGrid.Largest, 1))).FillWhere(none, 0).FillWhere(isFinite.logical_not_(), double.NaN);

            x.FillWhere(none, 0).mul_(inverse);
            TorchTensor below = context.Copy(x, ScalarType.Float32).floor_();
            TorchTensor words = PhiloxWords.Draw(context, stream, (ulong)(firstRow + row) * (ulong)wordsPerRow, count * wordsPerRow);
            TorchTensor uniform = PhiloxWords.ToUniform(context, words.view(count, wordsPerRow).narrow(1, 0, columns));
            below.Add(uniform.lt_(x.sub_(below))).Clamp(-(double)RowGrid.Largest, RowGrid.Largest).Add((double)RowGrid.Zero);
            context.View(codes.RowRange(row, count)).copy_(below);
        }
    }

    public static void Dequantize(TorchContext context, Tensor codes, Tensor scales, Tensor values)
    {
        using TorchContext.Frame frame = context.Open();
        for (int row = 0, rows = TorchContext.RowsPerSlice(values.Columns); row < values.Rows; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, values.Rows - row);
            TorchTensor scale = context.View(scales).view(-1, 1).narrow(0, row, count);
            TorchTensor code = context.Copy(context.View(codes.RowRange(row, count)), ScalarType.Float32).Add(-(double)RowGrid.Zero);
            context.View(values.RowRange(row, count)).copy_(code.mul_(scale));
        }
    }
}
