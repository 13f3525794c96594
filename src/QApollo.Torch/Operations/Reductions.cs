using QApollo.Devices;

namespace QApollo.Torch.Operations;

/// <summary>Sums over a tensor, in binary64.</summary>
internal static class Reductions
{
    public static void AccumulateSum(TorchContext context, Tensor values, Tensor total) => Accumulate(context, values, total, isSquares: false);

    public static void AccumulateSumOfSquares(TorchContext context, Tensor values, Tensor total) => Accumulate(context, values, total, isSquares: true);

    private static void Accumulate(TorchContext context, Tensor values, Tensor total, bool isSquares)
    {
        using TorchContext.Frame frame = context.Open();
        AddTo(context, total, Sum(context, values, isSquares));
    }

    /// <summary>[1, 1] F64: of the values, or of their squares.</summary>
    public static TorchTensor Sum(TorchContext context, Tensor values, bool isSquares)
    {
        TorchTensor sum = context.Filled(ScalarType.Float64, 0, 1, 1);
        for (long first = 0; first < values.Elements; first += TorchContext.SliceElements)
        {
            using TorchContext.Frame slice = context.Open();
            int count = (int)Math.Min(TorchContext.SliceElements, values.Elements - first);
            TorchTensor part = context.Copy(context.View(values.ElementRange(first, count)), ScalarType.Float64);
            sum.Add((isSquares ? part.mul_(part) : part).sum());
        }

        return sum;
    }

    /// <summary>total += sum, rounded once.</summary>
    /// <param name="sum">[1, 1] F64; changed.</param>
    public static void AddTo(TorchContext context, Tensor total, TorchTensor sum)
    {
        TorchTensor stored = context.View(total);
        stored.copy_(sum.Add(stored));
    }
}
