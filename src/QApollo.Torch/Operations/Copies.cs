using QApollo.Devices;

namespace QApollo.Torch.Operations;

/// <summary>Fills, copies and conversions.</summary>
internal static unsafe class Copies
{
    /// <summary>A NaN of any kind becomes this bfloat16, as on the other devices.</summary>
    private const short BFloatNaN = 0x7FFF;

    public static void Upload(TorchContext context, ReadOnlySpan<byte> source, Tensor destination)
    {
        fixed (byte* bytes = source)
        {
            using TorchContext.Frame frame = context.Open();
            BytesNow(context, destination).copy_(TorchContext.HostView((nint)bytes, ScalarType.Byte, source.Length));
        }
    }

    public static void Download(TorchContext context, Tensor source, Span<byte> destination)
    {
        fixed (byte* bytes = destination)
        {
            using TorchContext.Frame frame = context.Open();
            TorchContext.HostView((nint)bytes, ScalarType.Byte, destination.Length).copy_(BytesNow(context, source));
        }
    }

    public static void Copy(TorchContext context, Tensor source, Tensor destination)
    {
        using TorchContext.Frame frame = context.Open();
        if (source.DType == destination.DType)
        {
            // As bytes: a copy keeps every NaN as it is.
            BytesNow(context, destination).copy_(BytesNow(context, source));
            return;
        }

        context.View(destination).copy_(context.View(source));
        if (destination.DType == DType.BF16)
        {
            MarkNaN(context, source, destination);
        }
    }

    private static void MarkNaN(TorchContext context, Tensor source, Tensor destination)
    {
        for (long first = 0; first < source.Elements; first += TorchContext.SliceElements)
        {
            using TorchContext.Frame slice = context.Open();
            int count = (int)Math.Min(TorchContext.SliceElements, source.Elements - first);
            TorchTensor isNaN = context.Single(source.ElementRange(first, count));
            isNaN.ne_(isNaN);
            context.View(destination.ElementRange(first, count).Address, ScalarType.Int16, 1, count).FillWhere(context.Mask(isNaN), BFloatNaN);
        }
    }

    /// <summary>Between memory spaces, in the order of all other work.</summary>
    public static void Transfer(TorchContext context, Tensor source, Tensor destination)
    {
        using TorchContext.Frame frame = context.Open();
        Bytes(context, destination).copy_(Bytes(context, source), true);
    }

    public static void Zero(TorchContext context, Tensor tensor)
    {
        using TorchContext.Frame frame = context.Open();
        BytesNow(context, tensor).zero_();
    }

    public static void Fill(TorchContext context, Tensor destination, float value)
    {
        using TorchContext.Frame frame = context.Open();
        context.View(destination).Fill(value);
    }

    /// <summary>For work of the host itself, which waits for what a GPU still does with host memory.</summary>
    private static TorchTensor BytesNow(TorchContext context, Tensor tensor)
    {
        if (context.IsOnHost(tensor))
        {
            context.Synchronize();
        }

        return Bytes(context, tensor);
    }

    /// <summary>Of memory in either space.</summary>
    private static TorchTensor Bytes(TorchContext context, Tensor tensor) => context.View(tensor.Address, ScalarType.Byte, tensor.Bytes);
}
