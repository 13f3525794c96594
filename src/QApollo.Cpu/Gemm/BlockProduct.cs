using System.Runtime.CompilerServices;

namespace QApollo.Cpu.Gemm;

/// <summary>
/// A product small enough for one thread: C [rows, columns] = initial + A B, with B packed. Every element is summed in
/// the order of k whatever its place in the block, so that no result depends on how a matrix is cut into blocks.
/// </summary>
internal static unsafe class BlockProduct
{
    /// <summary>Depth of one pass over the accumulators: a panel of b this deep stays in the first-level cache.</summary>
    private const int MaxDepth = 256;

    /// <summary>Bytes of <c>scratch</c>: the left operand of the last rows, and the tile at an edge.</summary>
    public const int ScratchBytes = (MaxDepth * Microkernel.MaxRows + Microkernel.MaxRows * Microkernel.MaxColumns) * sizeof(float);

    /// <param name="aRow">a(i, k) = a[i aRow + k aStep].</param>
    /// <param name="panels">B from its first column, a multiple of the panel width; panels are <paramref name="panelStride"/> elements apart.</param>
    /// <param name="initial">Null for zero; may be <paramref name="c"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(
        Microkernel kernel, float* a, nint aRow, nint aStep, float* panels, nint panelStride, int rows, int columns, int depth,
        float* initial, nint initialRow, float* c, nint cRow, float* scratch)
    {
        int height = kernel.Rows;
        int width = kernel.Columns;
        int fullRows = rows - rows % height;
        float* tail = scratch;
        float* edge = scratch + MaxDepth * Microkernel.MaxRows;
        int passes = Math.Max(1, (depth + MaxDepth - 1) / MaxDepth);
        int passDepth = (depth + passes - 1) / passes;
        for (int k = 0; k < depth; k += passDepth)
        {
            int steps = Math.Min(passDepth, depth - k);
            if (fullRows < rows)
            {
                CopyTail(a + fullRows * aRow + k * aStep, aRow, aStep, rows - fullRows, steps, height, tail);
            }

            for (int column = 0; column < columns; column += width)
            {
                float* b = panels + column / width * panelStride + (nint)k * width;
                bool whole = column + width <= columns;
                float* start = initial == null ? null : initial + column;
                for (int row = 0; row < fullRows; row += height)
                {
                    float* from = start == null ? null : start + row * initialRow;
                    float* to = c + row * cRow + column;
                    float* left = a + row * aRow + k * aStep;
                    if (whole)
                    {
                        kernel.Run(left, aRow, aStep, b, steps, from, initialRow, to, cRow);
                    }
                    else
                    {
                        RunEdge(kernel, left, aRow, aStep, b, steps, from, initialRow, to, cRow, height, columns - column, edge);
                    }
                }

                if (fullRows < rows)
                {
                    float* from = start == null ? null : start + fullRows * initialRow;
                    RunEdge(
                        kernel, tail, 1, height, b, steps, from, initialRow, c + fullRows * cRow + column, cRow,
                        rows - fullRows, Math.Min(width, columns - column), edge);
                }
            }

            initial = c;
            initialRow = cRow;
        }
    }

    /// <summary>The last rows of A, k-major, filled up with zeros.</summary>
    private static void CopyTail(float* a, nint aRow, nint aStep, int rows, int steps, int height, float* tail)
    {
        for (int i = 0; i < height; i++)
        {
            for (int k = 0; k < steps; k++)
            {
                tail[k * height + i] = i < rows ? a[i * aRow + k * aStep] : 0;
            }
        }
    }

    /// <summary>A tile of which only the upper left part exists.</summary>
    private static void RunEdge(
        Microkernel kernel, float* a, nint aRow, nint aStep, float* b, int depth, float* initial, nint initialRow,
        float* c, nint cRow, int rows, int columns, float* edge)
    {
        int width = kernel.Columns;
        if (initial != null)
        {
            new Span<float>(edge, kernel.Rows * width).Clear();
            for (int i = 0; i < rows; i++)
            {
                new ReadOnlySpan<float>(initial + i * initialRow, columns).CopyTo(new Span<float>(edge + i * width, columns));
            }
        }

        kernel.Run(a, aRow, aStep, b, depth, initial == null ? null : edge, width, edge, width);
        for (int i = 0; i < rows; i++)
        {
            new ReadOnlySpan<float>(edge + i * width, columns).CopyTo(new Span<float>(c + i * cRow, columns));
        }
    }
}
