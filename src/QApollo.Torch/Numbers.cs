using TorchSharp;

namespace QApollo.Torch;

/// <summary>
/// Operations in place with a number. TorchSharp makes a native object of every number and frees it when its finalizer runs,
/// which may be while the operation still reads it; here it lives as long as the call.
/// </summary>
internal static class Numbers
{
    /// <summary>tensor += other. TorchSharp's own makes a number of the factor 1 that it leaves out.</summary>
    public static TorchTensor Add(this TorchTensor tensor, TorchTensor other)
    {
        using Scalar one = 1L;
        return tensor.add_(other, one);
    }

    public static TorchTensor Add(this TorchTensor tensor, double value) => With(tensor, value, AddNumber);

    /// <summary>Of integers, modulo the type's range.</summary>
    public static TorchTensor Add(this TorchTensor tensor, long value) => With(tensor, value, AddNumber);

    /// <summary>tensor += factor * other.</summary>
    public static TorchTensor AddScaled(this TorchTensor tensor, TorchTensor other, double factor)
    {
        using Scalar number = factor;
        return tensor.add_(other, number);
    }

    private static TorchTensor AddNumber(TorchTensor tensor, Scalar number)
    {
        using Scalar one = 1L;
        return tensor.add_(number, one);
    }

    public static TorchTensor Sub(this TorchTensor tensor, long value) => With(tensor, value, static (t, number) => t.sub_(number));

    public static TorchTensor Mul(this TorchTensor tensor, double value) => With(tensor, value, static (t, number) => t.mul_(number));

    /// <summary>Of integers, modulo the type's range.</summary>
    public static TorchTensor Mul(this TorchTensor tensor, long value) => With(tensor, value, static (t, number) => t.mul_(number));

    public static TorchTensor Fill(this TorchTensor tensor, double value) => With(tensor, value, static (t, number) => t.fill_(number));

    /// <param name="mask">Bool, of a shape that spreads to the tensor's.</param>
    public static TorchTensor FillWhere(this TorchTensor tensor, TorchTensor mask, double value)
    {
        using Scalar number = value;
        return tensor.masked_fill_(mask, number);
    }

    public static TorchTensor AtLeast(this TorchTensor tensor, double value) => With(tensor, value, static (t, number) => t.clamp_min_(number));

    /// <summary>Of integers.</summary>
    public static TorchTensor AtLeast(this TorchTensor tensor, long value) => With(tensor, value, static (t, number) => t.clamp_min_(number));

    public static TorchTensor AtMost(this TorchTensor tensor, double value) => With(tensor, value, static (t, number) => t.clamp_max_(number));

    public static TorchTensor Clamp(this TorchTensor tensor, double least, double most)
    {
        using Scalar low = least, high = most;
        return tensor.clamp_(low, high);
    }

    /// <summary>Of integers.</summary>
    public static TorchTensor Clamp(this TorchTensor tensor, long least, long most)
    {
        using Scalar low = least, high = most;
        return tensor.clamp_(low, high);
    }

    /// <summary>1 where the comparison holds, else 0, in the tensor's own type; so do the others.</summary>
    public static TorchTensor Lt(this TorchTensor tensor, long value) => With(tensor, value, static (t, number) => t.lt_(number));

    public static TorchTensor Lt(this TorchTensor tensor, double value) => With(tensor, value, static (t, number) => t.lt_(number));

    public static TorchTensor Le(this TorchTensor tensor, double value) => With(tensor, value, static (t, number) => t.le_(number));

    public static TorchTensor Gt(this TorchTensor tensor, double value) => With(tensor, value, static (t, number) => t.gt_(number));

    public static TorchTensor Ge(this TorchTensor tensor, double value) => With(tensor, value, static (t, number) => t.ge_(number));

    public static TorchTensor Eq(this TorchTensor tensor, double value) => With(tensor, value, static (t, number) => t.eq_(number));

    private static TorchTensor With(TorchTensor tensor, Scalar value, Func<TorchTensor, Scalar, TorchTensor> operation)
    {
        using Scalar number = value;
        return operation(tensor, number);
    }
}
