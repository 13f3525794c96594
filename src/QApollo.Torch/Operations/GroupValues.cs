using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Torch.Operations;

/// <summary>Between values and INT8 groups; see <see cref="GroupGrid"/>.</summary>
internal static class GroupValues
{
    public static void Quantize(TorchContext context, Tensor source, in WeightMatrix destination)
    {
        for (int row = 0, rows = TorchContext.RowsPerSlice(source.Columns); row < source.Rows; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, source.Rows - row);
            WeightMatrix weight = destination.RowRange(row, count);
            if (!weight.IsQuantized)
            {
                Copies.Copy(context, source.RowRange(row, count), weight.Values);
                continue;
            }

            TorchTensor values = context.View(source.RowRange(row, count));
            foreach (GroupCut cut in GroupCut.Of(weight))
            {
                using TorchContext.Frame frame = context.Open();
                TorchTensor x = context.Copy(cut.Elements(values), ScalarType.Float32);
                Grid grid = NewGrid(context, x, weight.ZeroPointRule);
                x.div_(grid.Scale).Add(grid.Zero);
                Codes codes = Round(context, x, words: null, weight);
                Store(context, weight, cut, codes);
                cut.PerGroup(context.View(weight.Scales)).copy_(grid.Scale);
                cut.PerGroup(context.View(weight.ZeroPoints)).copy_(grid.Zero);
            }
        }
    }

    public static void Dequantize(TorchContext context, in WeightMatrix source, Tensor destination)
    {
        using TorchContext.Frame frame = context.Open();
        TorchTensor all = context.View(destination);
        for (int row = 0, rows = TorchContext.RowsPerSlice(source.InFeatures); row < source.OutFeatures; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, source.OutFeatures - row);
            Read(context, source.RowRange(row, count), all.narrow(0, row, count), fine: true);
        }
    }

    /// <summary>The values of a slice of rows.</summary>
    /// <param name="destination">[rows, columns] of any floating-point type.</param>
    /// <param name="fine">With residuals, where there are any.</param>
    public static void Read(TorchContext context, in WeightMatrix weight, TorchTensor destination, bool fine)
    {
        if (!weight.IsQuantized)
        {
            destination.copy_(context.View(weight.Values));
            return;
        }

        foreach (GroupCut cut in GroupCut.Of(weight))
        {
            using TorchContext.Frame frame = context.Open();
            TorchTensor values = Positions(context, weight, cut, fine);
            TorchTensor scale = context.Copy(cut.PerGroup(context.View(weight.Scales)), ScalarType.Float32);
            cut.Elements(destination).copy_(values.sub_(Zero(context, weight, cut)).mul_(scale));
        }
    }

    /// <summary>q + r / 2^bits: [rows, groups, size] F32.</summary>
    public static TorchTensor Positions(TorchContext context, in WeightMatrix weight, GroupCut cut, bool fine)
    {
        TorchTensor values = context.Copy(cut.Elements(context.View(weight.Values)), ScalarType.Float32);
        if (fine && weight.ResidualBits != 0)
        {
            using TorchContext.Frame frame = context.Open();
            values.AddScaled(Residuals(context, weight, cut), 1f / (1 << weight.ResidualBits));
        }

        return values;
    }

    public static TorchTensor Zero(TorchContext context, in WeightMatrix weight, GroupCut cut) =>
        context.Copy(cut.PerGroup(context.View(weight.ZeroPoints)), ScalarType.Float32);

    /// <summary>Low bits of the values: [rows, groups, size] F32.</summary>
    public static TorchTensor Residuals(TorchContext context, in WeightMatrix weight, GroupCut cut)
    {
        Tensor stored = weight.Residuals;
        if (weight.ResidualBits == 8)
        {
            return context.Copy(cut.Elements(context.View(stored.Address, ScalarType.Int8, stored.Rows, stored.Columns)), ScalarType.Float32);
        }

        TorchTensor pairs = context.Copy(cut.Pairs(context.View(stored)), ScalarType.Float32);
        TorchTensor values = context.Take(ScalarType.Float32, stored.Rows, cut.Groups, cut.Size / 2, 2);
        TorchTensor even = values.select(3, 0), odd = values.select(3, 1);
        odd.copy_(pairs).Mul(1f / 16).floor_();
        even.copy_(pairs).AddScaled(odd, -16);
        TorchTensor isNegative = context.Take(ScalarType.Float32, values.shape).copy_(values).Ge(8);
        return values.AddScaled(isNegative, -16).view(stored.Rows, cut.Groups, cut.Size);
    }

    /// <summary>Scale and zero point of new groups; see <see cref="GroupGrid.FromRange(float, float, ZeroPointRule)"/>.</summary>
    /// <param name="values">[rows, groups, size] F32.</param>
    public static Grid NewGrid(TorchContext context, TorchTensor values, ZeroPointRule rule)
    {
        bool isSymmetric = rule == ZeroPointRule.Symmetric;
        long rows = values.shape[0], groups = values.shape[1];
        TorchTensor min = Least(context, values).AtMost(0), max = Largest(context, values).AtLeast(0);
        TorchTensor range = isSymmetric ? Larger(context, max, context.Copy(min, ScalarType.Float32).neg_()) : max.sub_(min);

        // By a tensor: libtorch multiplies with the reciprocal of a number.
        nint address = context.TakeAddress(ScalarType.Float32, rows, groups, 1);
        TorchTensor scale = context.View(address, ScalarType.Float32, rows, groups, 1);
        scale.copy_(range).div_(context.Filled(ScalarType.Float32, isSymmetric ? GroupGrid.Steps / 2 : GroupGrid.Steps, 1));
        scale.AtLeast(isSymmetric ? GroupGrid.MinSymmetricScale : GroupGrid.MinScale);
        if (isSymmetric)
        {
            // Small scales: up to binary16's next multiple, which is a bfloat16 value too.
            TorchTensor small = context.Copy(scale, ScalarType.Float32).AtMost(GroupGrid.MinNormalSymmetricScale);
            small.Mul(1 / GroupGrid.MinSymmetricScale).ceil_().Mul(GroupGrid.MinSymmetricScale);
            scale.copy_(Larger(context, scale, small));
        }

        // Up to the next bfloat16: the lower half of the bits is carried over, then cleared.
        context.View(address, ScalarType.Int32, rows, groups, 1).Add(0xFFFF);
        context.View(address, ScalarType.Int16, rows, groups, 2).select(2, 0).zero_();
        TorchTensor isZero = context.Mask(context.Copy(range, ScalarType.Float32).Eq(0));
        TorchTensor zero = isSymmetric
            ? context.Filled(ScalarType.Float32, GroupGrid.SymmetricZeroPoint, rows, groups, 1)
            : min.neg_().div_(scale).ceil_().AtMost(255).FillWhere(isZero, 0);
        scale.FillWhere(isZero, 1);
        return new Grid(scale, zero, range);
    }

    public static TorchTensor Least(TorchContext context, TorchTensor values)
    {
        TorchTensor least = context.Take(ScalarType.Float32, values.shape[0], values.shape[1], 1);
        values.amin([2], true, least).Dispose();
        return least;
    }

    public static TorchTensor Largest(TorchContext context, TorchTensor values)
    {
        TorchTensor largest = context.Take(ScalarType.Float32, values.shape[0], values.shape[1], 1);
        values.amax([2], true, largest).Dispose();
        return largest;
    }

    /// <summary>The larger of each two; NaN if one is.</summary>
    /// <param name="left">[rows, groups, 1], as the other.</param>
    public static TorchTensor Larger(TorchContext context, TorchTensor left, TorchTensor right)
    {
        TorchTensor both = context.Take(ScalarType.Float32, left.shape[0], left.shape[1], 2);
        both.narrow(2, 0, 1).copy_(left);
        both.narrow(2, 1, 1).copy_(right);
        return Largest(context, both);
    }

    /// <summary>Values in codes, rounded to multiples of 2^-bits and limited to the codes of the weight's rule.</summary>
    /// <param name="x">Stays as it is.</param>
    /// <param name="words">Random words of the values, I32; null to round to nearest, half to even.</param>
    public static Codes Round(TorchContext context, TorchTensor x, TorchTensor? words, in WeightMatrix weight)
    {
        float fine = 1 << weight.ResidualBits;
        TorchTensor rounded = context.Copy(x, ScalarType.Float32).Mul(fine);
        if (words is null)
        {
            rounded.round_(0);
        }
        else
        {
            using TorchContext.Frame frame = context.Open();
            TorchTensor share = context.Copy(rounded, ScalarType.Float32);
            share.sub_(rounded.floor_());
            rounded.Add(PhiloxWords.ToUniform(context, words).lt_(share));
        }

        rounded.Clamp(GroupGrid.LowestCode(weight.ZeroPointRule) * fine, 255 * fine);
        TorchTensor code = context.Copy(rounded, ScalarType.Float32).Add(fine / 2).Mul(1 / fine).floor_();
        TorchTensor residual = context.Copy(rounded, ScalarType.Float32).AddScaled(code, -fine);
        return new Codes(code, residual, rounded.Mul(1 / fine));
    }

    public static void Store(TorchContext context, in WeightMatrix weight, GroupCut cut, Codes codes)
    {
        cut.Elements(context.View(weight.Values)).copy_(codes.Code);
        Tensor stored = weight.Residuals;
        if (weight.ResidualBits == 8)
        {
            cut.Elements(context.View(stored.Address, ScalarType.Int8, stored.Rows, stored.Columns)).copy_(codes.Residual);
        }
        else if (weight.ResidualBits == 4)
        {
            using TorchContext.Frame frame = context.Open();
            TorchTensor unsigned = context.Copy(codes.Residual, ScalarType.Float32).Lt(0).Mul(16).Add(codes.Residual);
            TorchTensor pairs = unsigned.view(stored.Rows, cut.Groups, cut.Size / 2, 2);
            TorchTensor joined = context.Copy(pairs.select(3, 0), ScalarType.Float32).AddScaled(pairs.select(3, 1), 16);
            cut.Pairs(context.View(stored)).copy_(joined);
        }
    }

    /// <summary>Of groups [rows, groups, 1], F32: scale, zero point, and the range that they were made for.</summary>
    public readonly record struct Grid(TorchTensor Scale, TorchTensor Zero, TorchTensor Range);

    /// <summary>[rows, groups, size] F32: codes, residuals in units of 2^-bits, and both together.</summary>
    public readonly record struct Codes(TorchTensor Code, TorchTensor Residual, TorchTensor Rounded);
}
