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

    /// <summary>Rows that are copied at a time: a multiple of every kernel's tile; with the pass depth, they stay in the second-level cache.</summary>
    public const int MaxRows = 96;

    /// <summary>Scratch memory of the largest copy.</summary>
    public const int Bytes = MaxRows * RowStride * sizeof(float);

    /// <summary>Copies rows row .. + rows, steps step .. + steps of the matrix.</summary>
    /// <param name="height">Rows of a tile.</param>
    public static LeftBlock Copy(in LeftMatrix a, int row, int rows, int step, int steps, int height, float* buffer)
    {
        if (a.Transposed)
        {
            float* start = (float*)a.Values.Address + (nint)step * a.Values.Columns + row;
            CopyTransposed(start, a.Values.Columns, rows, steps, height, buffer);
            return new LeftBlock(buffer, 1, height, steps * height);
        }

        for (int i = 0; i < rows; i++)
        {
            float* to = buffer + i * RowStride;
            float* from = Numerics.Elements.Read(a.Values, (nint)(row + i) * a.Values.Columns + step, steps, to);
            if (from != to)
            {
                new ReadOnlySpan<float>(from, steps).CopyTo(new Span<float>(to, steps));
            }
        }

        return new LeftBlock(buffer, RowStride, 1, height * RowStride);
    }

    /// <summary>Tiles [steps, height], one after another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyTransposed(float* a, nint aStep, int rows, int steps, int height, float* buffer)
    {
        nint tile = (nint)steps * height;
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
