using QApollo.Devices;

namespace QApollo.Torch.Operations;

/// <summary>Bias, rotary position embedding and SwiGLU: elementwise, in F32.</summary>
internal static class Activations
{
    public static void AddBias(TorchContext context, Tensor values, Tensor bias)
    {
        using TorchContext.Frame frame = context.Open();
        context.View(values).Add(context.View(bias));
    }

    public static void BiasGradient(TorchContext context, Tensor outputGradient, Tensor biasGradient, bool accumulate)
    {
        using TorchContext.Frame frame = context.Open();
        TorchTensor sum = context.View(biasGradient);
        if (!accumulate)
        {
            sum.zero_();
        }

        for (int row = 0, rows = TorchContext.RowsPerSlice(outputGradient.Columns); row < outputGradient.Rows; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            sum.Add(context.Single(outputGradient.RowRange(row, Math.Min(rows, outputGradient.Rows - row))).sum(0, true));
        }
    }

    public static void Rotate(
        TorchContext context, Tensor values, Tensor cosine, Tensor sine, int sequenceLength, int firstPosition, bool inverse, Tensor documentStarts)
    {
        int half = cosine.Columns, heads = values.Columns / (2 * half);
        int rows = Math.Min(sequenceLength, TorchContext.RowsPerSlice(values.Columns));
        for (int sequence = 0; sequence < values.Rows; sequence += sequenceLength)
        {
            for (int row = 0; row < Math.Min(sequenceLength, values.Rows - sequence); row += rows)
            {
                using TorchContext.Frame slice = context.Open();
                int count = Math.Min(rows, Math.Min(sequenceLength, values.Rows - sequence) - row);
                Tensor part = values.RowRange(sequence + row, count);
                TorchTensor cos, sin;
                if (documentStarts.IsAbsent)
                {
                    cos = context.View(cosine.RowRange(firstPosition + row, count));
                    sin = context.View(sine.RowRange(firstPosition + row, count));
                }
                else
                {
                    TorchTensor position = context.Count(ScalarType.Int64, count).Add((long)firstPosition + row);
                    position.sub_(context.View(documentStarts.ElementRange(sequence + row, count)).view(count));
                    cos = context.View(cosine).index_select(0, position);
                    sin = context.View(sine).index_select(0, position);
                }

                Rotate(context, context.View(part.Address, TorchContext.TypeOf(part.DType), count, heads, 2, half), cos.unsqueeze(1), sin.unsqueeze(1), inverse ? -1 : 1);
            }
        }
    }

    /// <param name="values">[rows, heads, 2, half].</param>
    private static void Rotate(TorchContext context, TorchTensor values, TorchTensor cosine, TorchTensor sine, int sign)
    {
        TorchTensor first = values.select(2, 0), second = values.select(2, 1);
        TorchTensor x1 = context.Copy(first, ScalarType.Float32), x2 = context.Copy(second, ScalarType.Float32);
        TorchTensor crossed = context.Copy(x2, ScalarType.Float32).mul_(sine);
        TorchTensor turned = context.Copy(x1, ScalarType.Float32).mul_(sine);
        first.copy_(x1.mul_(cosine).AddScaled(crossed, -sign));
        second.copy_(x2.mul_(cosine).AddScaled(turned, sign));
    }

    public static void SwiGluForward(TorchContext context, Tensor gate, Tensor up, Tensor output)
    {
        for (int row = 0, rows = TorchContext.RowsPerSlice(gate.Columns); row < gate.Rows; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, gate.Rows - row);
            TorchTensor g = context.Single(gate.RowRange(row, count));
            TorchTensor s = context.Copy(g, ScalarType.Float32).sigmoid_();
            context.View(output.RowRange(row, count)).copy_(s.mul_(g).mul_(context.View(up.RowRange(row, count))));
        }
    }

    public static void SwiGluBackward(TorchContext context, Tensor gate, Tensor up, Tensor outputGradient, Tensor gateGradient, Tensor upGradient)
    {
        for (int row = 0, rows = TorchContext.RowsPerSlice(gate.Columns); row < gate.Rows; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, gate.Rows - row);
            TorchTensor g = context.Single(gate.RowRange(row, count)), u = context.Single(up.RowRange(row, count));
            TorchTensor dy = context.Single(outputGradient.RowRange(row, count));
            TorchTensor s = context.Copy(g, ScalarType.Float32).sigmoid_();
            TorchTensor slope = context.Copy(s, ScalarType.Float32).neg_().Add(1).mul_(g).Add(1).mul_(s);
            context.View(upGradient.RowRange(row, count)).copy_(g.mul_(s).mul_(dy));
            context.View(gateGradient.RowRange(row, count)).copy_(slope.mul_(u).mul_(dy));
        }
    }
}
