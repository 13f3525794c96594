using QApollo.Devices;

namespace QApollo.Torch.Operations;

/// <summary>The random projection of a gradient, and from it the coefficients of the update (arXiv 2412.05270, algorithm 1).</summary>
internal static class Apollo
{
    public static void Project(TorchContext context, Tensor gradient, Tensor projection, Tensor projected, Tensor channelSquares)
    {
        using TorchContext.Frame frame = context.Open();
        bool channelsAreRows = gradient.Rows >= gradient.Columns;
        TorchTensor p = context.View(projection), r = context.View(projected), squares = context.View(channelSquares);
        if (!channelsAreRows)
        {
            r.zero_();
            squares.zero_();
        }

        for (int row = 0, rows = TorchContext.RowsPerSlice(gradient.Columns); row < gradient.Rows; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, gradient.Rows - row);
            TorchTensor g = context.Single(gradient.RowRange(row, count));
            if (channelsAreRows)
            {
                r.narrow(0, row, count).addmm_(g, p.t(), 0, 1);
                squares.narrow(1, row, count).copy_(g.mul_(g).sum(1, false));
            }
            else
            {
                r.addmm_(p.narrow(0, row, count).t(), g, 1, 1);
                squares.Add(g.mul_(g).sum(0, true));
            }
        }
    }

    public static void Scale(
        TorchContext context, Tensor projected, Tensor channelSquares, ChannelAxis axis, in ApolloScalars scalars, Tensor moment1, Tensor moment2,
        Tensor limiterNorm, Tensor coefficients, Tensor gradientSquares, Tensor limited)
    {
        using TorchContext.Frame frame = context.Open();
        int channels = channelSquares.Columns;
        TorchTensor squares = context.Copy(context.View(channelSquares).view(channels), ScalarType.Float64);
        TorchTensor gradientSum = context.Filled(ScalarType.Float64, 0, 1, 1).Add(squares.sum());
        TorchTensor isBad = context.Mask(context.Copy(gradientSum, ScalarType.Float32).Lt(float.PositiveInfinity).neg_().Add(1));
        Reductions.AddTo(context, gradientSquares, context.Copy(gradientSum, ScalarType.Float64));

        TorchTensor direction = context.Filled(ScalarType.Float64, 0, channels), plain = context.Filled(ScalarType.Float64, 0, channels);
        UpdateMoments(context, projected, axis, scalars.Adam, moment1, moment2, isBad, direction, plain);

        TorchTensor factor, norm = context.Take(ScalarType.Float64, 1, 1);
        if (scalars.TensorWise)
        {
            factor = context.Filled(ScalarType.Float64, 0, 1, 1).Add(direction.sum()).sqrt_();
            factor.div_(context.Filled(ScalarType.Float64, 0, 1, 1).Add(plain.sum()).sqrt_().Add((double)ApolloScalars.NormEpsilon));
            factor.copy_(context.Copy(factor, ScalarType.Float32));
            norm.copy_(gradientSum).sqrt_().mul_(factor);
        }
        else
        {
            factor = direction.sqrt_().div_(plain.sqrt_().Add((double)ApolloScalars.NormEpsilon)).view(1, channels);
            factor.copy_(context.Copy(factor, ScalarType.Float32));
            norm.copy_(context.Copy(factor, ScalarType.Float64).mul_(factor).mul_(squares).sum()).sqrt_();
        }

        norm.Mul((double)(scalars.ScaleFront ? scalars.ScaleRoot : 1f));
        TorchTensor limit = scalars.UseLimiter
            ? GrowthLimit.Of(context, context.Copy(norm, ScalarType.Float32), scalars.StoreOnly, scalars.KeepZeroNorm, limiterNorm, isBad, limited)
            : context.Filled(ScalarType.Float32, 1, 1, 1);
        TorchTensor step = context.Filled(ScalarType.Float32, scalars.StepSize * scalars.ScaleRoot, 1, 1).div_(limit);
        context.View(coefficients).copy_(factor).mul_(step).FillWhere(isBad, 0);
    }

    /// <summary>Moments in place; adds |D|² and |R|² of every channel.</summary>
    private static void UpdateMoments(
        TorchContext context, Tensor projected, ChannelAxis axis, in AdamScalars adam, Tensor moment1, Tensor moment2, TorchTensor isBad,
        TorchTensor direction, TorchTensor plain)
    {
        // Of a gradient that is not finite nothing may stay: the moments are multiplied with 1, and get zeros.
        TorchTensor beta1 = context.Filled(ScalarType.Float32, adam.Beta1, 1, 1).FillWhere(isBad, 1);
        TorchTensor beta2 = context.Filled(ScalarType.Float32, adam.Beta2, 1, 1).FillWhere(isBad, 1);
        for (int row = 0, rows = TorchContext.RowsPerSlice(projected.Columns); row < projected.Rows; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, projected.Rows - row);
            TorchTensor r = context.Single(projected.RowRange(row, count)).FillWhere(isBad, 0);
            TorchTensor m = context.View(moment1.RowRange(row, count)), v = context.View(moment2.RowRange(row, count));
            m.mul_(beta1).AddScaled(r, adam.OneMinusBeta1);
            v.mul_(beta2).Add(context.Copy(r, ScalarType.Float32).Mul(adam.OneMinusBeta2).mul_(r));
            TorchTensor d = context.Copy(Adam.Divide(context.Copy(m, ScalarType.Float32), context.Copy(v, ScalarType.Float32), adam), ScalarType.Float64);
            TorchTensor wide = context.Copy(r, ScalarType.Float64);
            int along = axis == ChannelAxis.Rows ? 1 : 0;
            TorchTensor directionPart = axis == ChannelAxis.Rows ? direction.narrow(0, row, count) : direction;
            TorchTensor plainPart = axis == ChannelAxis.Rows ? plain.narrow(0, row, count) : plain;
            directionPart.Add(d.mul_(d).sum(along));
            plainPart.Add(wide.mul_(wide).sum(along));
        }
    }
}
