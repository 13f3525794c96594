using System.Runtime.CompilerServices;

namespace QApollo.Cpu.Gemm;

/// <summary>
/// A product small enough for one thread: C [rows, columns] = initial + A B, with B packed. Every element is summed in
/// the order of k whatever its place in the block, so that no result depends on how a matrix is cut into blocks.
/// </summary>
internal static unsafe class BlockProduct
{
    /// <summary>Depth of one pass over the accumulators: a panel of B this deep stays in the first-level cache.</summary>
    public const int MaxDepth = 256;

    /// <summary>The depth of each pass but the last, which is at most as deep: passes of about equal length.</summary>
    public static int PassDepth(int depth)
    {
        return Cut.Units(depth, Math.Max(1, Cut.Units(depth, MaxDepth)));
    }

    /// <summary>All passes.</summary>
    /// <param name="panels">B from its first column, a multiple of the panel width; panels are <paramref name="panelStride"/> elements apart.</param>
    /// <param name="initial">Null for zero; may be <paramref name="c"/>.</param>
    public static void Run(
        Microkernel kernel, LeftBlock a, float* panels, nint panelStride, int rows, int columns, int depth,
        float* initial, nint initialRow, float* c, nint cRow)
    {
        int passDepth = PassDepth(depth);
        for (int k = 0; k < depth; k += passDepth)
        {
            int steps = Math.Min(passDepth, depth - k);
            RunPass(
                kernel, a.SkipSteps(k), panels + (nint)k * kernel.Columns, panelStride, rows, columns, steps, initial, initialRow, c, cRow);
            initial = c;
            initialRow = cRow;
        }
    }

    /// <summary>One pass; as <see cref="Run"/>, everything from its step of k on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RunPass(
        Microkernel kernel, LeftBlock a, float* panels, nint panelStride, int rows, int columns, int steps,
        float* initial, nint initialRow, float* c, nint cRow)
    {
        int height = kernel.Rows;
        int width = kernel.Columns;
        for (int column = 0; column < columns; column += width, panels += panelStride)
        {
            float* left = a.Start;
            for (int row = 0; row < rows; row += height, left += a.TileStride)
            {
                float* from = initial == null ? null : initial + row * initialRow + column;
                float* to = c + row * cRow + column;
                if (row + height <= rows && column + width <= columns)
                {
                    kernel.Run(left, a.RowStride, a.StepStride, panels, steps, from, initialRow, to, cRow);
                }
                else
                {
                    RunEdge(
                        kernel, left, a.RowStride, a.StepStride, panels, steps, from, initialRow, to, cRow,
                        Math.Min(height, rows - row), Math.Min(width, columns - column));
                }
            }
        }
    }

    /// <summary>A tile of which only the upper left part exists.</summary>
    [SkipLocalsInit]
    private static void RunEdge(
        Microkernel kernel, float* a, nint aRow, nint aStep, float* b, int steps, float* initial, nint initialRow,
        float* c, nint cRow, int rows, int columns)
    {
        float* edge = stackalloc float[Microkernel.MaxRows * Microkernel.MaxColumns];
        int width = kernel.Columns;
        if (initial != null)
        {
            for (int i = 0; i < rows; i++)
            {
                new ReadOnlySpan<float>(initial + i * initialRow, columns).CopyTo(new Span<float>(edge + i * width, columns));
            }
        }

        kernel.Run(a, aRow, aStep, b, steps, initial == null ? null : edge, width, edge, width);
        for (int i = 0; i < rows; i++)
        {
            new ReadOnlySpan<float>(edge + i * width, columns).CopyTo(new Span<float>(c + i * cRow, columns));
        }
    }
}
