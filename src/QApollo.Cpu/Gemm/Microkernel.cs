using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace QApollo.Cpu.Gemm;

/// <summary>
/// The innermost loop of every matrix product: a tile of <see cref="Rows"/> x <see cref="Columns"/> results held in
/// registers, c = initial + a b. An unmanaged value, so that jobs can carry it.
/// </summary>
internal readonly unsafe struct Microkernel
{
    /// <summary>No kernel has a wider tile; sizes that must not depend on the machine are computed with it.</summary>
    public const int MaxColumns = 32;

    /// <summary>No kernel has a higher tile.</summary>
    public const int MaxRows = 12;

    private Microkernel(
        int rows, int columns, delegate*<float*, nint, nint, float*, int, float*, nint, float*, nint, void> run)
    {
        Rows = rows;
        Columns = columns;
        Run = run;
    }

    public int Rows { get; }

    /// <summary>The width of a panel of the right operand.</summary>
    public int Columns { get; }

    /// <summary>
    /// (a, aRow, aStep, b, depth, initial, initialRow, c, cRow), strides in elements: a(i, k) = a[i aRow + k aStep];
    /// b(k, j) = b[k Columns + j]; initial may be null for zero, or c.
    /// </summary>
    public readonly delegate*<float*, nint, nint, float*, int, float*, nint, float*, nint, void> Run;

    public static Microkernel Avx512 => new(12, 32, &Avx512Kernel.Multiply);

    public static Microkernel Avx2 => new(6, 16, &Avx2Kernel.Multiply);

    public static Microkernel Portable => new(4, 8, &PortableKernel.Multiply);

    public static bool HasAvx512 => Vector512.IsHardwareAccelerated && Avx512F.IsSupported;

    public static bool HasAvx2 => Vector256.IsHardwareAccelerated && Fma.IsSupported;

    /// <summary>Asks for a tile of results before it is needed: it lies in memory more often than in a cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(float* c, nint cRow, int rows, int columns)
    {
        const int Line = 16;
        if (!Sse.IsSupported)
        {
            return;
        }

        for (int i = 0; i < rows; i++, c += cRow)
        {
            for (int j = 0; j < columns; j += Line)
            {
                Sse.Prefetch0(c + j);
            }
        }
    }

    /// <summary>The fastest one that this processor runs.</summary>
    public static Microkernel Best => HasAvx512 ? Avx512 : HasAvx2 ? Avx2 : Portable;
}
