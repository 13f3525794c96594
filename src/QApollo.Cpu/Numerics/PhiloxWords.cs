using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using QApollo.Quantization;

namespace QApollo.Cpu.Numerics;

/// <summary>Runs of words of a stream: what <see cref="Philox.Word"/> gives, many at a time.</summary>
internal static unsafe class PhiloxWords
{
    /// <summary>Words that <see cref="Fill"/> may write beyond the ones asked for.</summary>
    public const int Slack = 36;

    /// <summary><see cref="Philox.ToUniform"/> of each word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> ToUniform(Vector<uint> words) => Vector.ConvertToSingle(Vector.AsVectorInt32(words >> 8)) * Vector.Create(1f / 16777216f);

    /// <summary>Words first .. first + count - 1 of a stream; returns where the first one lies in <paramref name="buffer"/>.</summary>
    /// <param name="buffer">count + <see cref="Slack"/> words.</param>
    public static uint* Fill(in RandomStream stream, ulong first, int count, uint* buffer)
    {
        ulong block = first >> 2;
        int skip = (int)(first & 3);
        int blocks = (skip + count + 3) / 4;
        int done = Avx512F.IsSupported ? FillEight(stream, block, blocks, buffer)
            : Avx2.IsSupported ? FillFour(stream, block, blocks, buffer) : 0;
        for (; done < blocks; done++)
        {
            (buffer[4 * done], buffer[4 * done + 1], buffer[4 * done + 2], buffer[4 * done + 3]) =
                Philox.Block(stream, block + (ulong)done);
        }

        return buffer + skip;
    }

    /// <summary>Eight blocks at a time, a counter word in the lower half of each 64-bit lane; returns the number of blocks written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int FillEight(in RandomStream stream, ulong block, int blocks, uint* buffer)
    {
        Vector512<uint> multiplier0 = Vector512.Create((ulong)Philox.Multiplier0).AsUInt32();
        Vector512<uint> multiplier1 = Vector512.Create((ulong)Philox.Multiplier1).AsUInt32();
        Vector512<ulong> lowHalf = Vector512.Create(0xFFFFFFFFul);
        Vector512<ulong> lanes = Vector512.Create(0ul, 1ul, 2ul, 3ul, 4ul, 5ul, 6ul, 7ul);
        int done = 0;
        for (; done < blocks; done += 8)
        {
            Vector512<ulong> numbers = Vector512.Create(block + (ulong)done) + lanes;
            Vector512<ulong> c0 = numbers;
            Vector512<ulong> c1 = (numbers >> 32) | Vector512.Create((ulong)stream.Purpose << 16);
            Vector512<ulong> c2 = Vector512.Create((ulong)stream.Parameter);
            Vector512<ulong> c3 = Vector512.Create((ulong)stream.Step);
            uint k0 = (uint)stream.Seed;
            uint k1 = (uint)(stream.Seed >> 32);
            for (int round = 0; round < Philox.Rounds; round++)
            {
                // The multiplication reads only the lower halves, so what is left in the upper ones does no harm.
                Vector512<ulong> product0 = Avx512F.Multiply(c0.AsUInt32(), multiplier0);
                Vector512<ulong> product1 = Avx512F.Multiply(c2.AsUInt32(), multiplier1);
                c0 = (product1 >> 32) ^ c1 ^ Vector512.Create((ulong)k0);
                c1 = product1;
                c2 = (product0 >> 32) ^ c3 ^ Vector512.Create((ulong)k1);
                c3 = product0;
                k0 += Philox.Weyl0;
                k1 += Philox.Weyl1;
            }

            Vector512<ulong> low = (c0 & lowHalf) | (c1 << 32);
            Vector512<ulong> high = (c2 & lowHalf) | (c3 << 32);
            Vector512<ulong> even = Avx512F.UnpackLow(low, high);
            Vector512<ulong> odd = Avx512F.UnpackHigh(low, high);
            uint* to = buffer + 4 * done;
            Avx512F.PermuteVar8x64x2(even, Vector512.Create(0ul, 1ul, 8ul, 9ul, 2ul, 3ul, 10ul, 11ul), odd).AsUInt32().Store(to);
            Avx512F.PermuteVar8x64x2(even, Vector512.Create(4ul, 5ul, 12ul, 13ul, 6ul, 7ul, 14ul, 15ul), odd).AsUInt32().Store(to + 16);
        }

        return done;
    }

    /// <summary>As <see cref="FillEight"/>, four blocks at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int FillFour(in RandomStream stream, ulong block, int blocks, uint* buffer)
    {
        Vector256<uint> multiplier0 = Vector256.Create((ulong)Philox.Multiplier0).AsUInt32();
        Vector256<uint> multiplier1 = Vector256.Create((ulong)Philox.Multiplier1).AsUInt32();
        Vector256<ulong> lowHalf = Vector256.Create(0xFFFFFFFFul);
        int done = 0;
        for (; done < blocks; done += 4)
        {
            Vector256<ulong> numbers = Vector256.Create(block + (ulong)done) + Vector256.Create(0ul, 1ul, 2ul, 3ul);
            Vector256<ulong> c0 = numbers;
            Vector256<ulong> c1 = (numbers >> 32) | Vector256.Create((ulong)stream.Purpose << 16);
            Vector256<ulong> c2 = Vector256.Create((ulong)stream.Parameter);
            Vector256<ulong> c3 = Vector256.Create((ulong)stream.Step);
            uint k0 = (uint)stream.Seed;
            uint k1 = (uint)(stream.Seed >> 32);
            for (int round = 0; round < Philox.Rounds; round++)
            {
                Vector256<ulong> product0 = Avx2.Multiply(c0.AsUInt32(), multiplier0);
                Vector256<ulong> product1 = Avx2.Multiply(c2.AsUInt32(), multiplier1);
                c0 = (product1 >> 32) ^ c1 ^ Vector256.Create((ulong)k0);
                c1 = product1;
                c2 = (product0 >> 32) ^ c3 ^ Vector256.Create((ulong)k1);
                c3 = product0;
                k0 += Philox.Weyl0;
                k1 += Philox.Weyl1;
            }

            Vector256<ulong> low = (c0 & lowHalf) | (c1 << 32);
            Vector256<ulong> high = (c2 & lowHalf) | (c3 << 32);
            Vector256<ulong> even = Avx2.UnpackLow(low, high);
            Vector256<ulong> odd = Avx2.UnpackHigh(low, high);
            Avx2.Permute2x128(even, odd, 0x20).AsUInt32().Store(buffer + 4 * done);
            Avx2.Permute2x128(even, odd, 0x31).AsUInt32().Store(buffer + 4 * done + 8);
        }

        return done;
    }
}
