using QApollo.Devices;

namespace QApollo.Torch.Operations;

/// <summary>Adam's direction, with moments in F32 or in 8 bits.</summary>
internal static class Adam
{
    public static void Direction(
        TorchContext context, Tensor gradient, Tensor moment1, Tensor moment2, in AdamScalars scalars, Tensor gradientSquares)
    {
        using TorchContext.Frame frame = context.Open();
        TorchTensor squares = context.Filled(ScalarType.Float64, 0, 1, 1);
        for (long first = 0; first < gradient.Elements; first += TorchContext.SliceElements)
        {
            using TorchContext.Frame slice = context.Open();
            int count = (int)Math.Min(TorchContext.SliceElements, gradient.Elements - first);
            TorchTensor stored = context.View(gradient.ElementRange(first, count));
            TorchTensor g = context.Copy(stored, ScalarType.Float32);
            TorchTensor m = context.View(moment1.ElementRange(first, count)), v = context.View(moment2.ElementRange(first, count));
            stored.copy_(Update(context, g, m, v, scalars, squares));
        }

        Reductions.AddTo(context, gradientSquares, squares);
    }

    public static void Direction8Bit(
        TorchContext context, EightBitCodec codec, Tensor gradient, Tensor moment1, Tensor moment2, Tensor scale1, Tensor scale2,
        in AdamScalars scalars, Tensor gradientSquares)
    {
        using TorchContext.Frame frame = context.Open();
        TorchTensor squares = context.Filled(ScalarType.Float64, 0, 1, 1);
        const int Most = TorchContext.SliceElements;
        for (long first = 0; first < gradient.Elements; first += Most)
        {
            using TorchContext.Frame slice = context.Open();
            int count = (int)Math.Min(Most, gradient.Elements - first);
            int blocks = EightBitMap.Blocks(count);
            int firstBlock = EightBitMap.Blocks(first);
            TorchTensor stored = context.View(gradient.ElementRange(first, count));
            TorchTensor g = context.Copy(stored, ScalarType.Float32);
            TorchTensor code1 = context.View(moment1.ElementRange(first, count)), code2 = context.View(moment2.ElementRange(first, count));
            TorchTensor s1 = context.View(scale1.ElementRange(firstBlock, blocks)).view(blocks, 1);
            TorchTensor s2 = context.View(scale2.ElementRange(firstBlock, blocks)).view(blocks, 1);
            TorchTensor m = codec.DecodeFirst(code1, s1), v = codec.DecodeSecond(code2, s2);
            stored.copy_(Update(context, g, m.view(1, -1).narrow(1, 0, count), v.view(1, -1).narrow(1, 0, count), scalars, squares));
            codec.EncodeFirst(m, code1, s1);
            codec.EncodeSecond(v, code2, s2);
        }

        Reductions.AddTo(context, gradientSquares, squares);
    }

    /// <summary>Moments in place; returns the direction, in the gradient's memory. Adds to the sum of squares.</summary>
    private static TorchTensor Update(TorchContext context, TorchTensor g, TorchTensor m, TorchTensor v, in AdamScalars scalars, TorchTensor squares)
    {
        using TorchContext.Frame frame = context.Open();
        TorchTensor wide = context.Copy(g, ScalarType.Float64);
        squares.Add(wide.mul_(wide).sum());

        // |g| < infinity is false for NaN. Where it is false the moments are multiplied with 1, and get a gradient of 0.
        TorchTensor isBad = context.Mask(context.Copy(g, ScalarType.Float32).abs_().Lt(float.PositiveInfinity).neg_().Add(1));
        g.FillWhere(isBad, 0);
        TorchTensor keep = context.Filled(ScalarType.Float32, scalars.Beta1, g.shape).FillWhere(isBad, 1);
        m.mul_(keep).AddScaled(g, scalars.OneMinusBeta1);
        v.mul_(keep.Fill(scalars.Beta2).FillWhere(isBad, 1)).Add(keep.copy_(g).Mul(scalars.OneMinusBeta2).mul_(g));
        g.copy_(m);
        return Divide(g, keep.copy_(v), scalars).FillWhere(isBad, 0);
    }

    /// <summary>m becomes the direction; v is changed.</summary>
    public static TorchTensor Divide(TorchTensor m, TorchTensor v, in AdamScalars scalars)
    {
        bool inDirection = scalars.BiasCorrection == BiasCorrection.Direction;
        float numerator = inDirection ? scalars.Correction2 / scalars.Correction1 : 1f;
        float epsilon = inDirection ? scalars.Epsilon * scalars.Correction2 : scalars.Epsilon;
        return m.Mul(numerator).div_(v.sqrt_().Add(epsilon));
    }
}
