using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Torch.Operations;

/// <summary>Normal random numbers by the Box–Muller transform of a Philox stream, computed in binary64.</summary>
internal static class RandomNormal
{
    private const double WordRange = 4294967296.0;

    public static void Fill(TorchContext context, Tensor destination, in RandomStream stream, long firstElement, float standardDeviation)
    {
        for (long first = 0; first < destination.Elements; first += TorchContext.SliceElements)
        {
            using TorchContext.Frame slice = context.Open();
            int count = (int)Math.Min(TorchContext.SliceElements, destination.Elements - first);
            int even = (count + 1) / 2 * 2;
            TorchTensor words = PhiloxWords.Draw(context, stream, (ulong)(firstElement + first), even);
            TorchTensor u = context.Copy(words, ScalarType.Float64);
            u.AddScaled(context.Copy(u, ScalarType.Float64).Lt(0), WordRange).Add(0.5).Mul(1 / WordRange);
            TorchTensor pairs = u.view(even / 2, 2);
            TorchTensor radius = context.Copy(pairs.select(1, 0), ScalarType.Float64).log_().Mul(-2).sqrt_().Mul((double)standardDeviation);
            TorchTensor angle = context.Copy(pairs.select(1, 1), ScalarType.Float64).Mul(2 * Math.PI);
            pairs.select(1, 0).copy_(angle).cos_().mul_(radius);
            pairs.select(1, 1).copy_(angle).sin_().mul_(radius);

            // By way of binary32, as on the other devices.
            TorchTensor single = context.Copy(u, ScalarType.Float32);
            context.View(destination.ElementRange(first, count)).view(count).copy_(single.narrow(0, 0, count));
        }
    }
}
