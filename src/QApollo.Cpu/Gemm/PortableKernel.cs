using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace QApollo.Cpu.Gemm;

/// <summary>A tile of 4 x 8 for every other processor: 8 accumulators of 4 lanes.</summary>
internal static unsafe class PortableKernel
{
    /// <summary>See <see cref="Microkernel.Run"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(
        float* a, nint aRow, nint aStep, float* b, int depth, float* initial, nint initialRow, float* c, nint cRow)
    {
        Vector128<float> c00 = Vector128<float>.Zero, c01 = Vector128<float>.Zero;
        Vector128<float> c10 = Vector128<float>.Zero, c11 = Vector128<float>.Zero;
        Vector128<float> c20 = Vector128<float>.Zero, c21 = Vector128<float>.Zero;
        Vector128<float> c30 = Vector128<float>.Zero, c31 = Vector128<float>.Zero;

        nint aRow2 = 2 * aRow;
        float* a3 = a + 3 * aRow;
        for (; depth > 0; depth--)
        {
            Vector128<float> b0 = Vector128.Load(b);
            Vector128<float> b1 = Vector128.Load(b + 4);
            Vector128<float> x;
            x = Vector128.Create(*a);
            c00 = Vector128.MultiplyAddEstimate(x, b0, c00);
            c01 = Vector128.MultiplyAddEstimate(x, b1, c01);
            x = Vector128.Create(a[aRow]);
            c10 = Vector128.MultiplyAddEstimate(x, b0, c10);
            c11 = Vector128.MultiplyAddEstimate(x, b1, c11);
            x = Vector128.Create(a[aRow2]);
            c20 = Vector128.MultiplyAddEstimate(x, b0, c20);
            c21 = Vector128.MultiplyAddEstimate(x, b1, c21);
            x = Vector128.Create(*a3);
            c30 = Vector128.MultiplyAddEstimate(x, b0, c30);
            c31 = Vector128.MultiplyAddEstimate(x, b1, c31);
            a += aStep;
            a3 += aStep;
            b += 8;
        }

        // Added last: without fused multiply-adds, sums of one pass each keep the rounding of a deep product small.
        if (initial != null)
        {
            c00 += Vector128.Load(initial);
            c01 += Vector128.Load(initial + 4);
            initial += initialRow;
            c10 += Vector128.Load(initial);
            c11 += Vector128.Load(initial + 4);
            initial += initialRow;
            c20 += Vector128.Load(initial);
            c21 += Vector128.Load(initial + 4);
            initial += initialRow;
            c30 += Vector128.Load(initial);
            c31 += Vector128.Load(initial + 4);
        }

        c00.Store(c);
        c01.Store(c + 4);
        c += cRow;
        c10.Store(c);
        c11.Store(c + 4);
        c += cRow;
        c20.Store(c);
        c21.Store(c + 4);
        c += cRow;
        c30.Store(c);
        c31.Store(c + 4);
    }
}
