using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using QApollo.Devices;

namespace QApollo.Cpu.Gemm;

/// <summary>
/// Copies a block of the left operand, so that the rows or steps that the kernel reads together do not fall on the same
/// lines of the cache, as they do when a matrix has a power of two of columns.
/// </summary>
internal static unsafe class LeftOperand
{
    /// <summary>Elements between the rows of a copied row-major block: an odd number of cache lines.</summary>
    private const int RowStride = BlockProduct.MaxDepth + 16;

    /// <summary>Elements of the largest copy.</summary>
    public static int Elements(int rows) => rows * RowStride;

    /// <summary>Copies rows row .. + rows, steps step .. + steps of the matrix.</summary>
    /// <param name="height">Rows of a tile.</param>
    public static LeftBlock Copy(in LeftMatrix a, int row, int rows, int step, int steps, int height, float* buffer)
    {
        CopyPart(a, row, rows, step, steps, height, buffer, 0, a.Transposed ? steps : rows);
        return Block(a.Transposed, steps, height, buffer);
    }

    /// <summary>The same copy, of steps or, unless the matrix is transposed, rows first .. + count only.</summary>
    public static void CopyPart(
        in LeftMatrix a, int row, int rows, int step, int steps, int height, float* buffer, int first, int count)
    {
        if (a.Transposed)
        {
            float* start = (float*)a.Values.Address + (nint)(step + first) * a.Values.Columns + row;
            CopyTransposed(start, a.Values.Columns, rows, count, height, buffer + first * height, (nint)steps * height);
            return;
        }

        for (int i = first; i < first + count; i++)
        {
            float* to = buffer + i * RowStride;
            float* from = Numerics.Elements.Read(a.Values, (nint)(row + i) * a.Values.Columns + step, steps, to);
            if (from != to)
            {
                new ReadOnlySpan<float>(from, steps).CopyTo(new Span<float>(to, steps));
            }
        }
    }

    /// <summary>What <see cref="Copy"/> made.</summary>
    public static LeftBlock Block(bool transposed, int steps, int height, float* buffer) => transposed
        ? new LeftBlock(buffer, 1, height, steps * height)
        : new LeftBlock(buffer, RowStride, 1, height * RowStride);

    /// <summary>Tiles [steps, height], <paramref name="tile"/> elements apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyTransposed(float* a, nint aStep, int rows, int steps, int height, float* buffer, nint tile)
    {
        for (int k = 0; k < steps; k++, a += aStep, buffer += height)
        {
            float* to = buffer;
            int row = 0;
            if (height == Microkernel.MaxRows)
            {
                for (; row <= rows - Microkernel.MaxRows; row += Microkernel.MaxRows, to += tile)
                {
                    Vector128<float> first = Vector128.Load(a + row);
                    Vector256<float> second = Vector256.Load(a + row + 4);
                    first.Store(to);
                    second.Store(to + 4);
                }
            }

            for (; row <= rows - height; row += height, to += tile)
            {
                for (int i = 0; i < height; i += 2)
                {
                    *(ulong*)(to + i) = *(ulong*)(a + row + i);
                }
            }

            for (int i = 0; row < rows; row++, i++)
            {
                to[i] = a[row];
            }
        }
    }
}

/// <summary>The left operand A [rows, depth] of a product: a matrix, F32 or BF16, or the transpose of an F32 one.</summary>
internal readonly record struct LeftMatrix(Tensor Values, bool Transposed)
{
    public int Rows => Transposed ? Values.Columns : Values.Rows;
}

/// <summary>
/// The left operand of a block: element (row, k) of tile t is Start[t TileStride + row RowStride + k StepStride]. Rows up
/// to the next multiple of the kernel's must be readable; what they hold does not matter.
/// </summary>
internal readonly unsafe struct LeftBlock(float* start, nint rowStride, nint stepStride, nint tileStride)
{
    public readonly float* Start = start;
    public readonly nint RowStride = rowStride;
    public readonly nint StepStride = stepStride;
    public readonly nint TileStride = tileStride;

    public LeftBlock SkipTiles(int tiles) => new(Start + tiles * TileStride, RowStride, StepStride, TileStride);

    public LeftBlock SkipSteps(int steps) => new(Start + steps * StepStride, RowStride, StepStride, TileStride);
}
