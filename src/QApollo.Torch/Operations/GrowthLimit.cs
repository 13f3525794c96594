using QApollo.Devices;

namespace QApollo.Torch.Operations;

/// <summary>The norm-growth limiter (arXiv 2412.05270): no update's norm grows by more than 1% over the last one's.</summary>
internal static class GrowthLimit
{
    public static void Apply(
        TorchContext context, Tensor squares, Tensor weights, bool useLimiter, bool storeOnly, Tensor limiterNorm, Tensor coefficients, Tensor limited)
    {
        using TorchContext.Frame frame = context.Open();
        TorchTensor sum = context.Filled(ScalarType.Float64, 0, 1, 1);
        for (int first = 0; first < squares.Columns; first += TorchContext.SliceElements)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(TorchContext.SliceElements, squares.Columns - first);
            TorchTensor part = context.Copy(context.View(squares.ElementRange(first, count)), ScalarType.Float64);
            sum.Add(part.mul_(context.View(weights.ElementRange(first, count))).sum());
        }

        TorchTensor norm = context.Copy(sum.sqrt_(), ScalarType.Float32);
        TorchTensor isBad = context.Mask(context.Copy(norm, ScalarType.Float32).Lt(float.PositiveInfinity).neg_().Add(1));
        TorchTensor factors = context.View(coefficients);
        if (useLimiter)
        {
            factors.div_(Of(context, norm, storeOnly, keepZeroNorm: false, limiterNorm, isBad, limited));
        }

        factors.FillWhere(isBad, 0);
    }

    /// <summary>By what the update is divided, [1, 1] F32; rewrites the stored norm and counts.</summary>
    /// <param name="norm">[1, 1] F32; changed.</param>
    /// <param name="keepZeroNorm">A stored norm of 0 is one; else it counts as none.</param>
    /// <param name="isBad">Bool [1, 1]: something is not finite, and nothing is rewritten or counted.</param>
    public static TorchTensor Of(
        TorchContext context, TorchTensor norm, bool storeOnly, bool keepZeroNorm, Tensor limiterNorm, TorchTensor isBad, Tensor limited)
    {
        TorchTensor limit = context.Filled(ScalarType.Float32, 1, 1, 1), stored = context.View(limiterNorm);
        if (!storeOnly)
        {
            TorchTensor growth = context.Filled(ScalarType.Float32, ApolloScalars.LimiterGrowth, 1, 1);
            limit.copy_(norm).div_(context.Copy(stored, ScalarType.Float32).Add(ApolloScalars.NormEpsilon)).AtLeast(ApolloScalars.LimiterGrowth).div_(growth);
            if (!keepZeroNorm)
            {
                limit.FillWhere(context.Mask(context.Copy(stored, ScalarType.Float32).Eq(0)), 1);
            }
        }

        TorchTensor next = norm.div_(limit).FillWhere(isBad, 0);
        stored.mul_(context.Copy(isBad, ScalarType.Float32)).Add(next);
        TorchTensor isLimited = context.Copy(limit, ScalarType.Float32).Gt(1).FillWhere(isBad, 0);
        context.View(limited).Add(context.Copy(isLimited, ScalarType.Int64));
        return limit;
    }
}
