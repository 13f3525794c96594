using QApollo.Devices;

namespace QApollo.Torch.Operations;

/// <summary>RMSNorm in slices of rows, in F32.</summary>
internal static class Norms
{
    public static void Forward(TorchContext context, Tensor input, Tensor weight, float epsilon, Tensor output, Tensor inverseRms)
    {
        using TorchContext.Frame frame = context.Open();
        TorchTensor w = context.View(weight), r = context.View(inverseRms).view(-1, 1);
        for (int row = 0, rows = TorchContext.RowsPerSlice(input.Columns); row < input.Rows; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, input.Rows - row);
            TorchTensor x = context.Single(input.RowRange(row, count));
            TorchTensor rowRms = r.narrow(0, row, count);
            TorchTensor squares = context.Copy(x, ScalarType.Float32);
            rowRms.copy_(squares.mul_(x).sum(1, true)).Mul(1f / input.Columns).Add(epsilon).sqrt_().reciprocal_();
            context.View(output.RowRange(row, count)).copy_(x.mul_(rowRms).mul_(w));
        }
    }

    public static void Backward(
        TorchContext context, Tensor outputGradient, Tensor input, Tensor weight, Tensor inverseRms, Tensor inputGradient, bool accumulateInput,
        Tensor weightGradient, bool accumulateWeight)
    {
        using TorchContext.Frame frame = context.Open();
        TorchTensor w = context.View(weight), r = context.View(inverseRms).view(-1, 1), dw = context.View(weightGradient);
        if (!accumulateWeight)
        {
            dw.zero_();
        }

        for (int row = 0, rows = TorchContext.RowsPerSlice(input.Columns); row < input.Rows; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, input.Rows - row);
            TorchTensor dy = context.Single(outputGradient.RowRange(row, count));
            TorchTensor x = context.Single(input.RowRange(row, count));
            TorchTensor rowRms = r.narrow(0, row, count);

            // x r is the normalized input; then dx = r (g - x r mean(g x r)).
            x.mul_(rowRms);
            TorchTensor product = context.Copy(dy, ScalarType.Float32).mul_(x);
            dw.Add(product.sum(0, true));
            TorchTensor mean = product.mul_(w).sum(1, true).Mul(1f / input.Columns);
            dy.mul_(w).sub_(x.mul_(mean)).mul_(rowRms);
            TorchTensor dx = context.View(inputGradient.RowRange(row, count));
            dx.copy_(accumulateInput ? dy.Add(dx) : dy);
        }
    }
}
