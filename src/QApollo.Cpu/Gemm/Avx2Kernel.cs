using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace QApollo.Cpu.Gemm;

/// <summary>A tile of 6 x 16: 12 accumulators of 8 lanes, two registers of b, one of a.</summary>
internal static unsafe class Avx2Kernel
{
    /// <summary>See <see cref="Microkernel.Run"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(
        float* a, nint aRow, nint aStep, float* b, int depth, float* initial, nint initialRow, float* c, nint cRow)
    {
        Vector256<float> c00 = Vector256<float>.Zero, c01 = Vector256<float>.Zero;
        Vector256<float> c10 = Vector256<float>.Zero, c11 = Vector256<float>.Zero;
        Vector256<float> c20 = Vector256<float>.Zero, c21 = Vector256<float>.Zero;
        Vector256<float> c30 = Vector256<float>.Zero, c31 = Vector256<float>.Zero;
        Vector256<float> c40 = Vector256<float>.Zero, c41 = Vector256<float>.Zero;
        Vector256<float> c50 = Vector256<float>.Zero, c51 = Vector256<float>.Zero;

        nint aRow2 = 2 * aRow;
        float* a3 = a + 3 * aRow;
        Microkernel.Prefetch(initial == null ? c : initial, initial == null ? cRow : initialRow, 6, 16);
        for (; depth > 0; depth--)
        {
            Vector256<float> b0 = Vector256.Load(b);
            Vector256<float> b1 = Vector256.Load(b + 8);
            Vector256<float> x;
            x = Vector256.Create(*a);
            c00 = Vector256.FusedMultiplyAdd(x, b0, c00);
            c01 = Vector256.FusedMultiplyAdd(x, b1, c01);
            x = Vector256.Create(a[aRow]);
            c10 = Vector256.FusedMultiplyAdd(x, b0, c10);
            c11 = Vector256.FusedMultiplyAdd(x, b1, c11);
            x = Vector256.Create(a[aRow2]);
            c20 = Vector256.FusedMultiplyAdd(x, b0, c20);
            c21 = Vector256.FusedMultiplyAdd(x, b1, c21);
            x = Vector256.Create(*a3);
            c30 = Vector256.FusedMultiplyAdd(x, b0, c30);
            c31 = Vector256.FusedMultiplyAdd(x, b1, c31);
            x = Vector256.Create(a3[aRow]);
            c40 = Vector256.FusedMultiplyAdd(x, b0, c40);
            c41 = Vector256.FusedMultiplyAdd(x, b1, c41);
            x = Vector256.Create(a3[aRow2]);
            c50 = Vector256.FusedMultiplyAdd(x, b0, c50);
            c51 = Vector256.FusedMultiplyAdd(x, b1, c51);
            a += aStep;
            a3 += aStep;
            b += 16;
        }

        // Added last, as every kernel does: the rows to add may come from memory while the product is formed.
        if (initial != null)
        {
            c00 += Vector256.Load(initial);
            c01 += Vector256.Load(initial + 8);
            initial += initialRow;
            c10 += Vector256.Load(initial);
            c11 += Vector256.Load(initial + 8);
            initial += initialRow;
            c20 += Vector256.Load(initial);
            c21 += Vector256.Load(initial + 8);
            initial += initialRow;
            c30 += Vector256.Load(initial);
            c31 += Vector256.Load(initial + 8);
            initial += initialRow;
            c40 += Vector256.Load(initial);
            c41 += Vector256.Load(initial + 8);
            initial += initialRow;
            c50 += Vector256.Load(initial);
            c51 += Vector256.Load(initial + 8);
        }

        c00.Store(c);
        c01.Store(c + 8);
        c += cRow;
        c10.Store(c);
        c11.Store(c + 8);
        c += cRow;
        c20.Store(c);
        c21.Store(c + 8);
        c += cRow;
        c30.Store(c);
        c31.Store(c + 8);
        c += cRow;
        c40.Store(c);
        c41.Store(c + 8);
        c += cRow;
        c50.Store(c);
        c51.Store(c + 8);
    }
}
