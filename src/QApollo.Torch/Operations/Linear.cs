using QApollo.Devices;

namespace QApollo.Torch.Operations;

/// <summary>
/// The three products of a linear layer, by addmm in place. Operands of one element type are multiplied as they are; else
/// slices of them are converted to F32 first, so that sums are F32.
/// </summary>
internal static class Linear
{
    /// <summary>Products that are summed up in F32 at a time: longer sums lose digits.</summary>
    private const int Depth = 2048;

    /// <summary>Elements of a partial result: half of the smallest workspace.</summary>
    private const long PartElements = TorchProfile.SmallestWorkspace / 2 / sizeof(float);

    public static void Expand(TorchContext context, in WeightMatrix weight, Tensor expansion)
    {
        using TorchContext.Frame frame = context.Open();
        TorchTensor all = context.View(Dense(context, weight, expansion));
        for (int row = 0, rows = TorchContext.RowsPerSlice(weight.InFeatures); row < weight.OutFeatures; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, weight.OutFeatures - row);
            GroupValues.Read(context, weight.RowRange(row, count), all.narrow(0, row, count), fine: false);
        }
    }

    public static void Forward(TorchContext context, Tensor input, in WeightMatrix weight, Tensor output, Tensor addend)
    {
        using TorchContext.Frame frame = context.Open();
        TorchTensor x = context.View(input), y = context.View(output);
        if (!addend.IsAbsent && addend.Address != output.Address)
        {
            y.copy_(context.View(addend));
        }

        float beta = addend.IsAbsent ? 0 : 1;
        for (int row = 0, rows = RowsOf(weight, input, weight.ForwardExpansion); row < weight.OutFeatures; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, weight.OutFeatures - row);
            TorchTensor w = Rows(context, weight, weight.ForwardExpansion, input.DType, row, count);
            Add(context, y.narrow(1, row, count), x, w.t(), beta);
        }
    }

    public static void InputGradient(TorchContext context, Tensor outputGradient, in WeightMatrix weight, Tensor inputGradient, bool accumulate)
    {
        using TorchContext.Frame frame = context.Open();
        TorchTensor dy = context.View(outputGradient), dx = context.View(inputGradient);
        float beta = accumulate ? 1 : 0;
        for (int row = 0, rows = RowsOf(weight, outputGradient, weight.InputGradientExpansion); row < weight.OutFeatures; row += rows)
        {
            using TorchContext.Frame slice = context.Open();
            int count = Math.Min(rows, weight.OutFeatures - row);
            TorchTensor w = Rows(context, weight, weight.InputGradientExpansion, outputGradient.DType, row, count);
            Add(context, dx, dy.narrow(1, row, count), w, beta);
            beta = 1;
        }
    }

    public static void WeightGradient(TorchContext context, Tensor outputGradient, Tensor input, Tensor weightGradient, bool accumulate)
    {
        using TorchContext.Frame frame = context.Open();
        TorchTensor dy = context.View(outputGradient), x = context.View(input), dw = context.View(weightGradient);
        if (weightGradient.DType == input.DType)
        {
            Add(context, dw, dy.t(), x, accumulate ? 1 : 0);
            return;
        }

        for (int row = 0, rows = TorchContext.RowsPerSlice(input.Columns); row < weightGradient.Rows; row += rows)
        {
            using TorchContext.Frame tile = context.Open();
            int count = Math.Min(rows, weightGradient.Rows - row);
            TorchTensor stored = dw.narrow(0, row, count);
            TorchTensor sum = accumulate ? context.Copy(stored, ScalarType.Float32) : context.Filled(ScalarType.Float32, 0, count, input.Columns);
            for (int token = 0, tokens = TorchContext.RowsPerSlice(Math.Max(count, input.Columns)); token < input.Rows; token += tokens)
            {
                using TorchContext.Frame slice = context.Open();
                int some = Math.Min(tokens, input.Rows - token);
                TorchTensor left = context.Copy(dy.narrow(0, token, some).narrow(1, row, count), ScalarType.Float32);
                Add(context, sum, left.t(), context.Copy(x.narrow(0, token, some), ScalarType.Float32), 1);
            }

            stored.copy_(sum);
        }
    }

    /// <summary>
    /// sum = beta * sum + left right. A long F32 sum is made of shorter ones, which libtorch would otherwise run through with
    /// one accumulator; a BF16 sum is rounded but once, so its product is not cut.
    /// </summary>
    private static void Add(TorchContext context, TorchTensor sum, TorchTensor left, TorchTensor right, float beta)
    {
        long all = right.shape[0], columns = right.shape[1];
        bool isLong = sum.dtype == ScalarType.Float32 && all > Depth;
        long step = isLong ? Depth : all;
        sum.addmm_(left.narrow(1, 0, step), right.narrow(0, 0, step), beta, 1);
        long rows = Math.Max(1, PartElements / columns);
        for (long first = step; first < all; first += step)
        {
            long count = Math.Min(step, all - first);
            for (long row = 0; row < left.shape[0]; row += rows)
            {
                using TorchContext.Frame frame = context.Open();
                long some = Math.Min(rows, left.shape[0] - row);
                TorchTensor part = context.Take(ScalarType.Float32, some, columns);
                part.addmm_(left.narrow(0, row, some).narrow(1, first, count), right.narrow(0, first, count), 0, 1);
                sum.narrow(0, row, some).Add(part);
            }
        }
    }

    /// <summary>All rows where the matrix can be read as it is, else those of a slice.</summary>
    private static int RowsOf(in WeightMatrix weight, Tensor operand, Tensor expansion) =>
        !expansion.IsAbsent || weight.Values.DType == operand.DType ? weight.OutFeatures : TorchContext.RowsPerSlice(weight.InFeatures);

    private static TorchTensor Rows(TorchContext context, in WeightMatrix weight, Tensor expansion, DType dtype, int row, int count)
    {
        if (!expansion.IsAbsent)
        {
            return context.View(Dense(context, weight, expansion));
        }

        if (weight.Values.DType == dtype)
        {
            return context.View(weight.Values);
        }

        TorchTensor values = context.Take(TorchContext.TypeOf(dtype), count, weight.InFeatures);
        GroupValues.Read(context, weight.RowRange(row, count), values, fine: false);
        return values;
    }

    private static Tensor Dense(TorchContext context, in WeightMatrix weight, Tensor expansion) =>
        new(expansion.Address, context.IsCuda ? DType.BF16 : DType.F32, weight.OutFeatures, weight.InFeatures);
}
