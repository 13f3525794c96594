using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Torch.Operations;

/// <summary>
/// The update of a slice of INT8 groups in the code domain. The multiply-add that other devices fuse is done in binary64,
/// where the product of two binary32 numbers is exact: its sum is rounded twice, which differs from once in about one of
/// 2^29 values.
/// </summary>
internal static class GroupUpdate
{
    /// <param name="coefficients">[1, 1], [rows, 1] or [1, columns].</param>
    public static void Apply(
        TorchContext context, in WeightMatrix weight, Tensor gradient, TorchTensor coefficients, in UpdateScalars scalars, Tensor counts)
    {
        TorchTensor? words = WeightUpdate.Words(context, weight.OutFeatures, weight.InFeatures, scalars);
        TorchTensor given = context.View(gradient);
        foreach (GroupCut cut in GroupCut.Of(weight))
        {
            using TorchContext.Frame frame = context.Open();
            TorchTensor c = coefficients.shape[1] == 1 ? coefficients.unsqueeze(2) : cut.Elements(coefficients);
            Apply(context, weight, cut, cut.Elements(given), c, words is null ? null : cut.Elements(words), scalars, counts);
        }
    }

    private static void Apply(
        TorchContext context, in WeightMatrix weight, GroupCut cut, TorchTensor gradient, TorchTensor c, TorchTensor? words,
        in UpdateScalars scalars, Tensor counts)
    {
        TorchTensor scale = context.Copy(cut.PerGroup(context.View(weight.Scales)), ScalarType.Float32);
        TorchTensor zero = GroupValues.Zero(context, weight, cut);
        TorchTensor v = GroupValues.Positions(context, weight, cut, fine: true).sub_(zero);

        // A coefficient of 0 is no update, whatever the gradient and the decay are.
        TorchTensor isZero = context.Mask(context.Copy(c, ScalarType.Float32).Eq(0));
        TorchTensor decay = context.Filled(ScalarType.Float32, scalars.Decay, c.shape).FillWhere(isZero, 1);
        TorchTensor change = context.Copy(gradient, ScalarType.Float32).FillWhere(isZero, 0).mul_(c);

        TorchTensor x = Move(context, v, change, scale, decay, scalars.DecayFirst);
        TorchTensor moved = context.Copy(x, ScalarType.Float32).ne_(v);
        TorchTensor moveSquares = context.Copy(x, ScalarType.Float32).sub_(v);
        moveSquares.mul_(context.Copy(moveSquares, ScalarType.Float32));
        x.Add(zero);

        TorchTensor keep = Keeps(context, x, zero, weight.ZeroPointRule, scalars.Regrid);
        TorchTensor update = GroupValues.Largest(context, moved);
        // To ask whether any group needs it would make the host wait for a GPU.
        TorchTensor regrid = context.Copy(keep, ScalarType.Float32).neg_().Add(1).mul_(update);
        if (scalars.Regrid == RegridMode.Always || context.IsCuda || regrid.sum().item<float>() > 0)
        {
            Regrid(context, weight, cut, x, v, change, scale, decay, regrid, scalars.DecayFirst);
            update.copy_(keep).mul_(GroupValues.Largest(context, moved)).Add(regrid);
        }

        GroupValues.Codes codes = GroupValues.Round(context, x, words, weight);
        Store(context, weight, cut, codes, x, moved, moveSquares, update, regrid, counts);
    }

    /// <summary>fma(-c G, 1 / scale, v) * decay, or fma(-c G, 1 / scale, v * decay).</summary>
    private static TorchTensor Move(TorchContext context, TorchTensor v, TorchTensor change, TorchTensor scale, TorchTensor decay, bool decayFirst)
    {
        TorchTensor x = context.Copy(v, ScalarType.Float32);
        if (decayFirst)
        {
            x.mul_(decay);
        }

        using (TorchContext.Frame frame = context.Open())
        {
            TorchTensor inverse = context.Copy(scale, ScalarType.Float32).reciprocal_();
            x.copy_(context.Copy(change, ScalarType.Float64).mul_(inverse).neg_().Add(x));
        }

        return decayFirst ? x : x.mul_(decay);
    }

    /// <summary>1 for groups whose grid stays: all values on it, and enough of it filled. [rows, groups, 1].</summary>
    private static TorchTensor Keeps(TorchContext context, TorchTensor x, TorchTensor zero, ZeroPointRule rule, RegridMode mode)
    {
        TorchTensor keep = context.Filled(ScalarType.Float32, 0, zero.shape);
        if (mode == RegridMode.Always)
        {
            return keep;
        }

        using TorchContext.Frame frame = context.Open();
        TorchTensor lowest = GroupValues.Least(context, x), highest = GroupValues.Largest(context, x);

        // Comparisons with NaN are false, so it stays where there is one.
        keep.copy_(lowest).Ge(GroupGrid.LowestCode(rule));
        keep.mul_(context.Copy(highest, ScalarType.Float32).Le(255));
        lowest.sub_(zero).AtMost(0);
        highest.sub_(zero).AtLeast(0);
        TorchTensor fill = rule == ZeroPointRule.Symmetric ? GroupValues.Larger(context, highest, lowest.neg_()).Mul(2) : highest.sub_(lowest);
        return keep.mul_(fill.Ge(GroupGrid.MinFill * GroupGrid.Steps));
    }

    /// <summary>Gives new grids to the groups marked in <paramref name="regrid"/>, and their values on them; unmarks those of no finite scale.</summary>
    private static void Regrid(
        TorchContext context, in WeightMatrix weight, GroupCut cut, TorchTensor x, TorchTensor v, TorchTensor change, TorchTensor scale,
        TorchTensor decay, TorchTensor regrid, bool decayFirst)
    {
        TorchTensor values = v.mul_(scale);
        if (decayFirst)
        {
            values.mul_(decay).sub_(change);
        }
        else
        {
            values.sub_(change).mul_(decay);
        }

        GroupValues.Grid grid = GroupValues.NewGrid(context, values, weight.ZeroPointRule);
        TorchTensor finite = context.Copy(grid.Range, ScalarType.Float32).Lt(float.PositiveInfinity);
        finite.mul_(context.Copy(grid.Scale, ScalarType.Float32).Lt(float.PositiveInfinity));
        regrid.mul_(finite);
        values.div_(grid.Scale).Add(grid.Zero);
        Select(context, regrid, values, x);
        Select(context, regrid, grid.Scale, scale);
        cut.PerGroup(context.View(weight.Scales)).copy_(scale);
        TorchTensor zero = GroupValues.Zero(context, weight, cut);
        Select(context, regrid, grid.Zero, zero);
        cut.PerGroup(context.View(weight.ZeroPoints)).copy_(zero);
    }

    private static void Store(
        TorchContext context, in WeightMatrix weight, GroupCut cut, GroupValues.Codes codes, TorchTensor x, TorchTensor moved, TorchTensor moveSquares,
        TorchTensor update, TorchTensor regrid, Tensor counts)
    {
        TorchTensor old = context.Copy(cut.Elements(context.View(weight.Values)), ScalarType.Float32);
        TorchTensor stays = context.Mask(context.Copy(update, ScalarType.Float32).neg_().Add(1));
        TorchTensor noise = codes.Rounded.sub_(x).FillWhere(stays, 0);
        noise.mul_(context.Copy(noise, ScalarType.Float32));
        TorchTensor otherCode = context.Copy(codes.Code, ScalarType.Float32).ne_(old).FillWhere(stays, 0);
        TorchTensor different = context.Copy(otherCode, ScalarType.Float32);
        Select(context, update, context.Copy(codes.Code, ScalarType.Float32), old);
        TorchTensor newResidual = codes.Residual;
        if (weight.ResidualBits != 0)
        {
            TorchTensor residual = GroupValues.Residuals(context, weight, cut);
            different.Add(context.Copy(newResidual, ScalarType.Float32).ne_(residual).FillWhere(stays, 0)).Gt(0);
            Select(context, update, newResidual, residual);
            newResidual = residual;
        }

        GroupValues.Store(context, weight, cut, codes with { Code = old, Residual = newResidual });

        moved.FillWhere(stays, 0);
        moveSquares.FillWhere(stays, 0);
        TorchTensor sums = context.Filled(ScalarType.Int64, 0, UpdateCounts.Length);
        void Sum(UpdateCount count, TorchTensor values) => sums.narrow(0, (int)count, 1).Add(values.sum().to(ScalarType.Int64));
        void SumSquares(UpdateCount count, TorchTensor values) => sums.narrow(0, (int)count, 1).Add(
            values.sum().AtMost(UpdateCounts.LargestSum).Mul(UpdateCounts.SquareUnit).to(ScalarType.Int64));
        TorchTensor isRegridded = context.Mask(regrid);
        Sum(UpdateCount.Codes, otherCode);
        Sum(UpdateCount.Moved, moved);
        Sum(UpdateCount.Regridded, regrid);
        Sum(UpdateCount.Lost, context.Copy(moved, ScalarType.Float32).sub_(different).FillWhere(isRegridded, 0));
        Sum(UpdateCount.Changed, different.FillWhere(isRegridded, 1));
        SumSquares(UpdateCount.NoiseSquares, noise);
        SumSquares(UpdateCount.MoveSquares, moveSquares);
        context.View(counts).view(-1).Add(sums);
    }

    /// <summary>Where the mark of a group is 1, the values replace those of the destination. Both are changed.</summary>
    private static void Select(TorchContext context, TorchTensor marks, TorchTensor values, TorchTensor destination)
    {
        using TorchContext.Frame frame = context.Open();
        destination.FillWhere(context.Mask(marks), 0);
        destination.Add(values.FillWhere(context.Mask(context.Copy(marks, ScalarType.Float32).neg_().Add(1)), 0));
    }
}
