using QApollo.Devices;

namespace QApollo.Torch.Operations;

/// <summary>Codes of blocks: indices of the nearest entries of a map, relative to the block's largest magnitude.</summary>
internal sealed class EightBitCodec(TorchContext context) : IDisposable
{
    private readonly TorchTensor _first = Upload(context, EightBitMap.FirstMoment);
    private readonly TorchTensor _second = Upload(context, EightBitMap.SecondMoment);
    private readonly TorchTensor _firstBounds = Upload(context, Bounds(EightBitMap.FirstMoment));
    private readonly TorchTensor _secondBounds = Upload(context, Bounds(EightBitMap.SecondMoment));

    public TorchTensor DecodeFirst(TorchTensor codes, TorchTensor scales) => Decode(_first, codes, scales);

    public TorchTensor DecodeSecond(TorchTensor codes, TorchTensor scales) => Decode(_second, codes, scales);

    public void EncodeFirst(TorchTensor values, TorchTensor codes, TorchTensor scales) => Encode(_firstBounds, values, codes, scales);

    public void EncodeSecond(TorchTensor values, TorchTensor codes, TorchTensor scales) => Encode(_secondBounds, values, codes, scales);

    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
        _firstBounds.Dispose();
        _secondBounds.Dispose();
    }

    /// <summary>[blocks, 256] F32, zeros behind the last value.</summary>
    private TorchTensor Decode(TorchTensor map, TorchTensor codes, TorchTensor scales)
    {
        long blocks = scales.shape[0], count = codes.shape[1];
        TorchTensor values = context.Filled(ScalarType.Float32, 0, blocks, EightBitMap.BlockSize);
        TorchTensor found = map.index_select(0, context.Copy(codes.view(count), ScalarType.Int32));
        values.view(-1).narrow(0, 0, count).copy_(found);
        found.Dispose();
        return values.mul_(scales);
    }

    /// <param name="values">As <see cref="Decode"/> gives them; changed.</param>
    private void Encode(TorchTensor bounds, TorchTensor values, TorchTensor codes, TorchTensor scales)
    {
        using TorchContext.Frame frame = context.Open();
        context.Copy(values, ScalarType.Float32).abs_().amax([1], true, scales).Dispose();
        TorchTensor divisor = context.Copy(scales, ScalarType.Float32);
        divisor.FillWhere(context.Mask(context.Copy(scales, ScalarType.Float32).Eq(0)), 1);
        using TorchTensor found = values.div_(divisor).bucketize(bounds, true, false);
        codes.copy_(found.view(1, -1).narrow(1, 0, codes.shape[1]));
    }

    /// <summary>Halfway between neighbours: a value is coded as the number of bounds below it.</summary>
    private static float[] Bounds(ReadOnlySpan<float> map)
    {
        var bounds = new float[map.Length - 1];
        for (int i = 0; i < bounds.Length; i++)
        {
            bounds[i] = (map[i] + map[i + 1]) / 2;
        }

        return bounds;
    }

    private static TorchTensor Upload(TorchContext context, ReadOnlySpan<float> values)
    {
        TorchTensor tensor = TorchSharp.torch.tensor(values.ToArray(), device: new TorchSharp.torch.Device(context.Type, context.Index));
        return tensor.DetachFromDisposeScope();
    }
}
