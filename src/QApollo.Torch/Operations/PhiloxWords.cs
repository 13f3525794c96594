using QApollo.Quantization;

namespace QApollo.Torch.Operations;

/// <summary>Philox4x32-10 by operations on 32 and 64 bit integers: the words of <see cref="Philox"/>.</summary>
internal static class PhiloxWords
{
    /// <summary>Words of consecutive elements of a stream: [count] I32, to be read as unsigned.</summary>
    public static TorchTensor Draw(TorchContext context, in RandomStream stream, ulong firstElement, int count)
    {
        int before = (int)(firstElement & 3);
        int blocks = (before + count + 3) / 4;
        TorchTensor words = context.Take(ScalarType.Int32, blocks, 4);
        using (TorchContext.Frame frame = context.Open())
        {
            Fill(context, stream, firstElement >> 2, words);
        }

        return words.view(4L * blocks).narrow(0, before, count);
    }

    /// <summary>The upper 24 bits of words as a number in [0, 1): exact in binary32.</summary>
    /// <param name="words">I32 of any shape and strides.</param>
    public static TorchTensor ToUniform(TorchContext context, TorchTensor words)
    {
        TorchTensor uniform = Bytes(context, words, 3, 1f / 256);
        using TorchContext.Frame frame = context.Open();
        uniform.Add(Bytes(context, words, 2, 1f / 65536));
        return uniform.Add(Bytes(context, words, 1, 1f / 16777216));
    }

    /// <summary>A byte of every word, 0 the lowest, times a factor, as F32.</summary>
    public static TorchTensor Bytes(TorchContext context, TorchTensor words, int number, float factor)
    {
        TorchTensor shifted = context.Copy(words, ScalarType.Int32);
        if (number > 0)
        {
            shifted.bitwise_right_shift_(context.Filled(ScalarType.Int32, 8 * number, 1));
        }

        shifted.bitwise_and_(context.Filled(ScalarType.Int32, 0xFF, 1));
        return context.Copy(shifted, ScalarType.Float32).Mul(factor);
    }

    /// <param name="words">[blocks, 4] I32.</param>
    private static void Fill(TorchContext context, in RandomStream stream, ulong firstBlock, TorchTensor words)
    {
        long blocks = words.shape[0];
        nint address = context.TakeAddress(ScalarType.Int64, blocks);
        context.View(address, ScalarType.Int64, blocks).copy_(context.Count(ScalarType.Int64, blocks)).Add((long)firstBlock);
        TorchTensor block = context.View(address, ScalarType.Int32, blocks, 2);
        TorchTensor c0 = context.Copy(block.select(1, 0), ScalarType.Int32);
        TorchTensor c1 = context.Copy(block.select(1, 1), ScalarType.Int32).Add((int)stream.Purpose << 16);
        TorchTensor c2 = context.Filled(ScalarType.Int32, unchecked((int)stream.Parameter), blocks);
        TorchTensor c3 = context.Filled(ScalarType.Int32, unchecked((int)stream.Step), blocks);
        var first = new WideProduct(context, blocks, Philox.Multiplier0);
        var second = new WideProduct(context, blocks, Philox.Multiplier1);
        TorchTensor key = context.Take(ScalarType.Int32, 1);
        uint k0 = (uint)stream.Seed, k1 = (uint)(stream.Seed >> 32);
        for (int round = 0; round < Philox.Rounds; round++)
        {
            first.Multiply(c0);
            second.Multiply(c2);
            c1.bitwise_xor_(second.High).bitwise_xor_(key.Fill(unchecked((int)k0)));
            c3.bitwise_xor_(first.High).bitwise_xor_(key.Fill(unchecked((int)k1)));
            c0.copy_(second.Low);
            c2.copy_(first.Low);
            (c0, c1, c2, c3) = (c1, c0, c3, c2);
            unchecked
            {
                k0 += Philox.Weyl0;
                k1 += Philox.Weyl1;
            }
        }

        words.select(1, 0).copy_(c0);
        words.select(1, 1).copy_(c1);
        words.select(1, 2).copy_(c2);
        words.select(1, 3).copy_(c3);
    }

    /// <summary>The 64-bit products of unsigned 32-bit words with a constant; their halves are views of the same memory.</summary>
    private readonly struct WideProduct
    {
        private readonly TorchTensor _product;
        private readonly long _factor;

        public WideProduct(TorchContext context, long count, uint factor)
        {
            nint address = context.TakeAddress(ScalarType.Int64, count);
            _product = context.View(address, ScalarType.Int64, count);
            _factor = factor;
            TorchTensor halves = context.View(address, ScalarType.Int32, count, 2);
            Low = halves.select(1, 0);
            High = halves.select(1, 1);
        }

        public TorchTensor Low { get; }

        public TorchTensor High { get; }

        public void Multiply(TorchTensor words)
        {
            High.zero_();
            Low.copy_(words);
            _product.Mul(_factor);
        }
    }
}
