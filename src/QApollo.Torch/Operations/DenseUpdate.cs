using QApollo.Devices;

namespace QApollo.Torch.Operations;

/// <summary>The update of a slice of F32 or BF16 values.</summary>
internal static class DenseUpdate
{
    private const short BFloatNaN = 0x7FFF;

    /// <param name="coefficients">[1, 1], [rows, 1] or [1, columns].</param>
    public static void Apply(
        TorchContext context, Tensor weight, Tensor gradient, TorchTensor coefficients, in UpdateScalars scalars, Tensor counts)
    {
        int rows = weight.Rows, columns = weight.Columns;
        TorchTensor isZero = context.Mask(context.Copy(coefficients, ScalarType.Float32).Eq(0));
        TorchTensor decay = context.Filled(ScalarType.Float32, scalars.Decay, coefficients.shape).FillWhere(isZero, 1);
        TorchTensor change = context.Single(gradient).FillWhere(isZero, 0).mul_(coefficients).FillWhere(isZero, 0);
        nint address = context.TakeAddress(ScalarType.Float32, rows, columns);
        TorchTensor values = context.View(address, ScalarType.Float32, rows, columns).copy_(context.View(weight));
        if (scalars.DecayFirst)
        {
            values.mul_(decay).sub_(change);
        }
        else
        {
            values.sub_(change).mul_(decay);
        }

        TorchTensor stored, result;
        if (weight.DType == DType.F32)
        {
            stored = context.View(weight.Address, ScalarType.Int32, rows, columns);
            result = context.View(address, ScalarType.Int32, rows, columns);
        }
        else
        {
            stored = context.View(weight.Address, ScalarType.Int16, rows, columns);
            result = ToBFloat(context, values, address, WeightUpdate.Words(context, rows, columns, scalars));
        }

        TorchTensor changed = context.Copy(stored, stored.dtype).ne_(result).sum(ScalarType.Int64);
        context.View(counts).view(-1).narrow(0, (int)UpdateCount.Changed, 1).Add(changed);
        stored.copy_(result);
    }

    /// <summary>
    /// The upper halves of the values' bits after rounding: to nearest without words, else low 16 bits + (u >> 16) carry.
    /// </summary>
    private static TorchTensor ToBFloat(TorchContext context, TorchTensor values, nint address, TorchTensor? words)
    {
        TorchTensor isNaN = context.Mask(context.Copy(values, ScalarType.Float32).ne_(values));
        TorchTensor bits = context.View(address, ScalarType.Int32, values.shape);
        TorchTensor upper = context.View(address, ScalarType.Int16, values.shape[0], values.shape[1], 2).select(2, 1);
        TorchTensor carry = context.Take(ScalarType.Int32, values.shape);
        if (words is null)
        {
            carry.copy_(upper).bitwise_and_(context.Filled(ScalarType.Int32, 1, 1)).Add(0x7FFF);
        }
        else
        {
            carry.copy_(words).bitwise_right_shift_(context.Filled(ScalarType.Int32, 16, 1)).bitwise_and_(context.Filled(ScalarType.Int32, 0xFFFF, 1));
        }

        bits.Add(carry);
        return upper.FillWhere(isNaN, BFloatNaN);
    }
}
