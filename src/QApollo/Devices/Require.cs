namespace QApollo.Devices;

/// <summary>The checks of <see cref="TracingDevice"/>: what an operation demands of its buffers.</summary>
internal static class Require
{
    public static void That(bool condition, string operation, string message)
    {
        if (!condition)
        {
            throw new ArgumentException($"{operation}: {message}");
        }
    }

    public static void Shape(string operation, Tensor tensor, int rows, int columns)
    {
        if (tensor.Rows != rows || tensor.Columns != columns)
        {
            throw new ArgumentException($"{operation}: got {tensor}, needs [{rows}, {columns}]");
        }
    }

    public static void DType(string operation, Tensor tensor, DType dtype)
    {
        if (tensor.DType != dtype)
        {
            throw new ArgumentException($"{operation}: got {tensor}, needs {dtype}");
        }
    }

    public static void Vector(string operation, Tensor tensor, DType dtype, int columns)
    {
        DType(operation, tensor, dtype);
        Shape(operation, tensor, 1, columns);
    }

    /// <summary>Absent, or one for each row.</summary>
    public static void DocumentStarts(string operation, Tensor starts, int rows)
    {
        if (!starts.IsAbsent)
        {
            Vector(operation, starts, Devices.DType.I32, rows);
        }
    }

    public static void Activation(string operation, DeviceProfile profile, Tensor tensor, int rows, int columns)
    {
        DType(operation, tensor, profile.ActivationDType);
        Shape(operation, tensor, rows, columns);
    }

    /// <summary>Activations, and their rows as codes with a scale each.</summary>
    public static void Rows(string operation, DeviceProfile profile, Tensor values, Tensor codes, Tensor scales)
    {
        Activation(operation, profile, values, codes.Rows, codes.Columns);
        DType(operation, codes, Devices.DType.U8);
        Vector(operation, scales, Devices.DType.F32, codes.Rows);
    }

    /// <summary>An output of a product: of the activation dtype, or of the logit dtype.</summary>
    public static void Output(string operation, DeviceProfile profile, Tensor tensor, int rows, int columns)
    {
        if (tensor.DType != profile.ActivationDType)
        {
            DType(operation, tensor, profile.LogitDType);
        }

        Shape(operation, tensor, rows, columns);
    }

    public static void Gradient(string operation, Tensor tensor, int rows, int columns)
    {
        if (tensor.DType != Devices.DType.BF16)
        {
            DType(operation, tensor, Devices.DType.F32);
        }

        Shape(operation, tensor, rows, columns);
    }

    public static void Weight(string operation, in WeightMatrix weight)
    {
        if (!weight.IsQuantized)
        {
            Gradient(operation, weight.Values, weight.OutFeatures, weight.InFeatures);
            return;
        }

        if (weight.GroupSize is not (32 or 64 or 128 or 256))
        {
            throw new ArgumentException($"{operation}: group size {weight.GroupSize}, needs 32, 64, 128 or 256");
        }

        int groups = WeightMatrix.GroupsPerRow(weight.InFeatures, weight.GroupSize);
        DType(operation, weight.Scales, Devices.DType.BF16);
        Shape(operation, weight.Scales, weight.OutFeatures, groups);
        DType(operation, weight.ZeroPoints, Devices.DType.U8);
        Shape(operation, weight.ZeroPoints, weight.OutFeatures, groups);
        if (!weight.Residuals.IsAbsent)
        {
            That(weight.ResidualBits == 8 || weight.InFeatures % 2 == 0, operation, "4 residual bits need an even number of columns");
            DType(operation, weight.Residuals, Devices.DType.U8);
            Shape(operation, weight.Residuals, weight.OutFeatures, WeightMatrix.ResidualBytesPerRow(weight.InFeatures, weight.ResidualBits));
        }
    }

    public static void Attention(
        string operation, DeviceProfile profile, Tensor query, Tensor key, Tensor value, Tensor output, Tensor rowStatistics,
        in AttentionShape shape)
    {
        That(shape.HeadDim % 2 == 0 && shape.Heads % shape.KeyValueHeads == 0, operation, $"heads do not fit together: {shape}");
        That(shape.KeyLength >= shape.QueryLength, operation, "more queries than keys");
        Activation(operation, profile, query, shape.QueryRows, shape.QueryColumns);
        Activation(operation, profile, key, shape.KeyRows, shape.KeyColumns);
        Activation(operation, profile, value, shape.KeyRows, shape.KeyColumns);
        Activation(operation, profile, output, shape.QueryRows, shape.QueryColumns);
        DType(operation, rowStatistics, Devices.DType.F32);
        Shape(operation, rowStatistics, shape.Heads, shape.QueryRows);
    }
}
