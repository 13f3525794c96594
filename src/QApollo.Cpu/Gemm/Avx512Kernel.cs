using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace QApollo.Cpu.Gemm;

/// <summary>A tile of 12 x 32: 24 accumulators of 16 lanes, two registers of b, one of a.</summary>
internal static unsafe class Avx512Kernel
{
    /// <summary>See <see cref="Microkernel.Run"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(
        float* a, nint aRow, nint aStep, float* b, int depth, float* initial, nint initialRow, float* c, nint cRow)
    {
        Vector512<float> c00 = Vector512<float>.Zero, c01 = Vector512<float>.Zero;
        Vector512<float> c10 = Vector512<float>.Zero, c11 = Vector512<float>.Zero;
        Vector512<float> c20 = Vector512<float>.Zero, c21 = Vector512<float>.Zero;
        Vector512<float> c30 = Vector512<float>.Zero, c31 = Vector512<float>.Zero;
        Vector512<float> c40 = Vector512<float>.Zero, c41 = Vector512<float>.Zero;
        Vector512<float> c50 = Vector512<float>.Zero, c51 = Vector512<float>.Zero;
        Vector512<float> c60 = Vector512<float>.Zero, c61 = Vector512<float>.Zero;
        Vector512<float> c70 = Vector512<float>.Zero, c71 = Vector512<float>.Zero;
        Vector512<float> c80 = Vector512<float>.Zero, c81 = Vector512<float>.Zero;
        Vector512<float> c90 = Vector512<float>.Zero, c91 = Vector512<float>.Zero;
        Vector512<float> ca0 = Vector512<float>.Zero, ca1 = Vector512<float>.Zero;
        Vector512<float> cb0 = Vector512<float>.Zero, cb1 = Vector512<float>.Zero;

        nint aRow2 = 2 * aRow;
        float* a3 = a + 3 * aRow;
        float* a6 = a + 6 * aRow;
        float* a9 = a + 9 * aRow;
        Microkernel.Prefetch(initial == null ? c : initial, initial == null ? cRow : initialRow, 12, 32);
        for (; depth > 0; depth--)
        {
            Vector512<float> b0 = Vector512.Load(b);
            Vector512<float> b1 = Vector512.Load(b + 16);
            Vector512<float> x;
            x = Vector512.Create(*a);
            c00 = Vector512.FusedMultiplyAdd(x, b0, c00);
            c01 = Vector512.FusedMultiplyAdd(x, b1, c01);
            x = Vector512.Create(a[aRow]);
            c10 = Vector512.FusedMultiplyAdd(x, b0, c10);
            c11 = Vector512.FusedMultiplyAdd(x, b1, c11);
            x = Vector512.Create(a[aRow2]);
            c20 = Vector512.FusedMultiplyAdd(x, b0, c20);
            c21 = Vector512.FusedMultiplyAdd(x, b1, c21);
            x = Vector512.Create(*a3);
            c30 = Vector512.FusedMultiplyAdd(x, b0, c30);
            c31 = Vector512.FusedMultiplyAdd(x, b1, c31);
            x = Vector512.Create(a3[aRow]);
            c40 = Vector512.FusedMultiplyAdd(x, b0, c40);
            c41 = Vector512.FusedMultiplyAdd(x, b1, c41);
            x = Vector512.Create(a3[aRow2]);
            c50 = Vector512.FusedMultiplyAdd(x, b0, c50);
            c51 = Vector512.FusedMultiplyAdd(x, b1, c51);
            x = Vector512.Create(*a6);
            c60 = Vector512.FusedMultiplyAdd(x, b0, c60);
            c61 = Vector512.FusedMultiplyAdd(x, b1, c61);
            x = Vector512.Create(a6[aRow]);
            c70 = Vector512.FusedMultiplyAdd(x, b0, c70);
            c71 = Vector512.FusedMultiplyAdd(x, b1, c71);
            x = Vector512.Create(a6[aRow2]);
            c80 = Vector512.FusedMultiplyAdd(x, b0, c80);
            c81 = Vector512.FusedMultiplyAdd(x, b1, c81);
            x = Vector512.Create(*a9);
            c90 = Vector512.FusedMultiplyAdd(x, b0, c90);
            c91 = Vector512.FusedMultiplyAdd(x, b1, c91);
            x = Vector512.Create(a9[aRow]);
            ca0 = Vector512.FusedMultiplyAdd(x, b0, ca0);
            ca1 = Vector512.FusedMultiplyAdd(x, b1, ca1);
            x = Vector512.Create(a9[aRow2]);
            cb0 = Vector512.FusedMultiplyAdd(x, b0, cb0);
            cb1 = Vector512.FusedMultiplyAdd(x, b1, cb1);
            a += aStep;
            a3 += aStep;
            a6 += aStep;
            a9 += aStep;
            b += 32;
        }

        // Added last, as every kernel does: the rows to add may come from memory while the product is formed.
        if (initial != null)
        {
            c00 += Vector512.Load(initial);
            c01 += Vector512.Load(initial + 16);
            initial += initialRow;
            c10 += Vector512.Load(initial);
            c11 += Vector512.Load(initial + 16);
            initial += initialRow;
            c20 += Vector512.Load(initial);
            c21 += Vector512.Load(initial + 16);
            initial += initialRow;
            c30 += Vector512.Load(initial);
            c31 += Vector512.Load(initial + 16);
            initial += initialRow;
            c40 += Vector512.Load(initial);
            c41 += Vector512.Load(initial + 16);
            initial += initialRow;
            c50 += Vector512.Load(initial);
            c51 += Vector512.Load(initial + 16);
            initial += initialRow;
            c60 += Vector512.Load(initial);
            c61 += Vector512.Load(initial + 16);
            initial += initialRow;
            c70 += Vector512.Load(initial);
            c71 += Vector512.Load(initial + 16);
            initial += initialRow;
            c80 += Vector512.Load(initial);
            c81 += Vector512.Load(initial + 16);
            initial += initialRow;
            c90 += Vector512.Load(initial);
            c91 += Vector512.Load(initial + 16);
            initial += initialRow;
            ca0 += Vector512.Load(initial);
            ca1 += Vector512.Load(initial + 16);
            initial += initialRow;
            cb0 += Vector512.Load(initial);
            cb1 += Vector512.Load(initial + 16);
        }

        c00.Store(c);
        c01.Store(c + 16);
        c += cRow;
        c10.Store(c);
        c11.Store(c + 16);
        c += cRow;
        c20.Store(c);
        c21.Store(c + 16);
        c += cRow;
        c30.Store(c);
        c31.Store(c + 16);
        c += cRow;
        c40.Store(c);
        c41.Store(c + 16);
        c += cRow;
        c50.Store(c);
        c51.Store(c + 16);
        c += cRow;
        c60.Store(c);
        c61.Store(c + 16);
        c += cRow;
        c70.Store(c);
        c71.Store(c + 16);
        c += cRow;
        c80.Store(c);
        c81.Store(c + 16);
        c += cRow;
        c90.Store(c);
        c91.Store(c + 16);
        c += cRow;
        ca0.Store(c);
        ca1.Store(c + 16);
        c += cRow;
        cb0.Store(c);
        cb1.Store(c + 16);
    }
}
