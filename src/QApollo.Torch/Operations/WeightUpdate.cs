using QApollo.Devices;

namespace QApollo.Torch.Operations;

/// <summary>Rewrites a weight in place: W' = (W - c G) * decay, rounded as the weight is stored; see <see cref="IDevice.ApplyUpdate"/>.</summary>
internal static class WeightUpdate
{
    public static void Apply(
        TorchContext context, in WeightMatrix weight, Tensor gradient, Tensor coefficients, ChannelAxis axis, in UpdateScalars scalars, Tensor counts)
    {
        using TorchContext.Frame frame = context.Open();
        TorchTensor all = context.View(coefficients).view(-1);
        for (int row = 0, rows = TorchContext.RowsPerSlice(weight.InFeatures); row < weight.OutFeatures; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, weight.OutFeatures - row);
            TorchTensor c = axis switch
            {
                ChannelAxis.Rows => all.narrow(0, row, count).unsqueeze(1),
                ChannelAxis.Columns => all.unsqueeze(0),
                _ => all.view(1, 1),
            };
            UpdateScalars local = scalars with { FirstRow = scalars.FirstRow + row };
            if (weight.IsQuantized)
            {
                GroupUpdate.Apply(context, weight.RowRange(row, count), gradient.RowRange(row, count), c, local, counts);
            }
            else
            {
                DenseUpdate.Apply(context, weight.Values.RowRange(row, count), gradient.RowRange(row, count), c, local, counts);
            }
        }
    }

    /// <summary>Random words of rows, [rows, columns] I32; null where rounding draws none.</summary>
    public static TorchTensor? Words(TorchContext context, int rows, int columns, in UpdateScalars scalars) => scalars.Rounding == Quantization.RoundingMode.Nearest
        ? null
        : PhiloxWords.Draw(context, scalars.RoundingStream, (ulong)scalars.FirstRow * (ulong)columns, rows * columns)
            .Add(unchecked((int)scalars.RoundingOffset)).view(rows, columns);
}
