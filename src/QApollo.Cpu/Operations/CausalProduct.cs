using QApollo.Cpu.Gemm;

namespace QApollo.Cpu.Operations;

/// <summary>
/// Products with a block of scores [rows, keys] of which row r holds keys 0 .. diagonal + r only; tiles that hold none are
/// left out.
/// </summary>
internal static unsafe class CausalProduct
{
    /// <summary>
    /// scores = left * right, whole tiles: written up to the next multiple of the kernel's rows and columns.
    /// What lies beyond the diagonal is left as it was, or written with what the product gives.
    /// </summary>
    /// <param name="keyPanels">[features, keys], packed.</param>
    public static void Scores(
        Microkernel kernel, LeftBlock left, float* keyPanels, int rows, int keys, int features, int diagonal, float* scores, int stride)
    {
        int wholeRows = PackedMatrix.Round(rows, kernel.Rows);
        nint panelStride = (nint)features * kernel.Columns;
        for (int column = 0; column < keys; column += kernel.Columns, keyPanels += panelStride)
        {
            int tile = Math.Max(0, column - diagonal) / kernel.Rows;
            int row = tile * kernel.Rows;
            if (row < rows)
            {
                float* to = scores + row * stride + column;
                BlockProduct.Run(
                    kernel, left.SkipTiles(tile), keyPanels, panelStride, wholeRows - row, kernel.Columns, features, null, 0, to, stride);
            }
        }
    }

    /// <summary>output (+)= scores * right. Zeros must fill the scores up to the last key that any row of the tile sees.</summary>
    /// <param name="panels">[keys, features], packed.</param>
    public static void Rows(
        Microkernel kernel, float* scores, int stride, float* panels, nint panelStride, int rows, int keys, int features, int diagonal,
        bool accumulate, float* output, nint outputStride)
    {
        for (int row = 0; row < rows; row += kernel.Rows, scores += kernel.Rows * stride, output += kernel.Rows * outputStride)
        {
            BlockProduct.Run(
                kernel, new LeftBlock(scores, stride, 1, 0), panels, panelStride, Math.Min(kernel.Rows, rows - row), features,
                SeenByTile(kernel, row, keys, diagonal), accumulate ? output : null, outputStride, output, outputStride);
        }
    }

    /// <summary>output += scoresᵀ * right.</summary>
    /// <param name="panels">[rows, features], packed.</param>
    public static void AddKeys(
        Microkernel kernel, float* scores, int stride, float* panels, int rows, int keys, int features, int diagonal,
        float* output, nint outputStride)
    {
        for (int key = 0; key < keys; key += kernel.Rows)
        {
            int firstRow = Math.Max(0, key - diagonal);
            float* to = output + key * outputStride;
            BlockProduct.Run(
                kernel, new LeftBlock(scores + firstRow * stride + key, 1, stride, 0), panels + firstRow * kernel.Columns,
                (nint)rows * kernel.Columns, Math.Min(kernel.Rows, keys - key), features, rows - firstRow, to, outputStride, to, outputStride);
        }
    }

    /// <summary>Keys that the last row of the tile sees, of those in the block.</summary>
    public static int SeenByTile(Microkernel kernel, int row, int keys, int diagonal) =>
        Math.Min(keys, diagonal + row / kernel.Rows * kernel.Rows + kernel.Rows);
}
