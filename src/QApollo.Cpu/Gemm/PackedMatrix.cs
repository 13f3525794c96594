using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Gemm;

/// <summary>
/// The right operand B [depth, columns] of a product, rearranged for the microkernel: pass by pass of the depth
/// (<see cref="BlockProduct.PassDepth"/>), panels of consecutive columns, each [steps, panel width] contiguous, the last
/// one filled up with zeros. What a pass reads is contiguous, so it never competes for the same lines of a cache.
/// </summary>
internal static unsafe class PackedMatrix
{
    /// <summary>Bytes of the rearranged matrix for any kernel.</summary>
    public static long Bytes(int depth, int columns) =>
        (long)Round(columns, Microkernel.MaxColumns) * depth * sizeof(float);

    public static int Round(int value, int unit) => Cut.Units(value, unit) * unit;

    /// <summary>B(k, n) = rows[n][k]: packs one panel from <paramref name="count"/> rows, already at their first element.</summary>
    /// <param name="panel">First element to write: step 0 of the panel or a later one.</param>
    public static void PackTransposed(float* rows, nint rowStride, int count, int depth, float* panel, int width)
    {
        int j = 0;
        if (Sse.IsSupported)
        {
            for (; j <= count - 4; j += 4)
            {
                TransposeFourRows(rows + j * rowStride, rowStride, depth, panel + j, width);
            }
        }

        for (; j < count; j++)
        {
            for (int k = 0; k < depth; k++)
            {
                panel[(nint)k * width + j] = rows[j * rowStride + k];
            }
        }

        for (int k = 0; j < width && k < depth; k++)
        {
            new Span<float>(panel + (nint)k * width + j, width - j).Clear();
        }
    }

    private static void TransposeFourRows(float* rows, nint rowStride, int depth, float* panel, int width)
    {
        nint rowStride2 = 2 * rowStride;
        nint rowStride3 = 3 * rowStride;
        int k = 0;
        for (; k <= depth - 4; k += 4, rows += 4, panel += 4 * width)
        {
            Vector128<float> r0 = Vector128.Load(rows);
            Vector128<float> r1 = Vector128.Load(rows + rowStride);
            Vector128<float> r2 = Vector128.Load(rows + rowStride2);
            Vector128<float> r3 = Vector128.Load(rows + rowStride3);
            Vector128<float> low01 = Sse.UnpackLow(r0, r1);
            Vector128<float> low23 = Sse.UnpackLow(r2, r3);
            Vector128<float> high01 = Sse.UnpackHigh(r0, r1);
            Vector128<float> high23 = Sse.UnpackHigh(r2, r3);
            Sse.MoveLowToHigh(low01, low23).Store(panel);
            Sse.MoveHighToLow(low23, low01).Store(panel + width);
            Sse.MoveLowToHigh(high01, high23).Store(panel + 2 * width);
            Sse.MoveHighToLow(high23, high01).Store(panel + 3 * width);
        }

        for (; k < depth; k++, rows++, panel += width)
        {
            panel[0] = rows[0];
            panel[1] = rows[rowStride];
            panel[2] = rows[rowStride2];
            panel[3] = rows[rowStride3];
        }
    }

    /// <summary>B(k, n) = row_k[n]: spreads one row over the panels.</summary>
    /// <param name="panels">Step k of the first panel.</param>
    /// <param name="panelStride">Elements from a panel to the next.</param>
    public static void PackRow(float* row, int columns, float* panels, nint panelStride, int width)
    {
        for (; columns >= width; columns -= width, row += width, panels += panelStride)
        {
            for (int j = 0; j < width; j += Vector256<float>.Count)
            {
                Vector256.Load(row + j).Store(panels + j);
            }
        }

        if (columns > 0)
        {
            new ReadOnlySpan<float>(row, columns).CopyTo(new Span<float>(panels, columns));
            new Span<float>(panels + columns, width - columns).Clear();
        }
    }

    /// <summary>B(k, n) = weight[n, k]: packs steps step .. + steps of columns first .. + count, one panel.</summary>
    [SkipLocalsInit]
    public static void PackTransposed(in WeightMatrix weight, int first, int count, int step, int steps, float* panel, int width)
    {
        const int Chunk = 64;
        float* buffer = stackalloc float[Microkernel.MaxColumns * Chunk];
        int depth = weight.InFeatures;
        for (int k = 0; k < steps; k += Chunk, panel += Chunk * width)
        {
            int length = Math.Min(Chunk, steps - k);
            if (weight.Values.DType == DType.F32)
            {
                float* rows = (float*)weight.Values.Address + (long)first * depth + step + k;
                PackTransposed(rows, depth, count, length, panel, width);
                continue;
            }

            for (int j = 0; j < count; j++)
            {
                WeightRows.Read(weight, first + j, step + k, length, buffer + j * Chunk);
            }

            PackTransposed(buffer, Chunk, count, length, panel, width);
        }
    }

    /// <summary>B(k, n) = weight[k, n]: spreads columns first .. + columns of some rows over the panels.</summary>
    /// <param name="panels">The first of the rows in the first panel.</param>
    /// <param name="panelStride">Elements from a panel to the next.</param>
    [SkipLocalsInit]
    public static void PackRows(
        in WeightMatrix weight, int firstRow, int rows, int first, int columns, float* panels, nint panelStride, int width)
    {
        // A row goes to as many pages as there are panels: no more at a time than the processor remembers to write to.
        const int Panels = 8;
        float* buffer = stackalloc float[Panels * Microkernel.MaxColumns];
        int chunk = Panels * width;
        for (int column = 0; column < columns; column += chunk, panels += Panels * panelStride)
        {
            int count = Math.Min(chunk, columns - column);
            for (int row = 0; row < rows; row++)
            {
                float* values = WeightRows.Read(weight, firstRow + row, first + column, count, buffer);
                PackRow(values, count, panels + (nint)row * width, panelStride, width);
            }
        }
    }

    /// <summary>The panels of columns first .. + columns for the steps of one pass, a panel steps * width elements after the other.</summary>
    public static void Pack(in RightOperand b, int first, int columns, int step, int steps, float* panels, int width)
    {
        if (!b.Transposed)
        {
            PackRows(b.Matrix, step, steps, first, columns, panels, (nint)steps * width, width);
            return;
        }

        for (int column = 0; column < columns; column += width, panels += (nint)steps * width)
        {
            PackTransposed(b.Matrix, first + column, Math.Min(width, columns - column), step, steps, panels, width);
        }
    }

    /// <summary>Packs a whole weight for the product that it is used in.</summary>
    public static void Expand(CpuContext context, in WeightMatrix weight, WeightUse use, float* destination)
    {
        int width = context.Kernel.Columns;
        if (use == WeightUse.Forward)
        {
            var job = new PanelsJob { Weight = weight, Destination = destination, Width = width };
            context.Pool.Run(job, Cut.Units(weight.OutFeatures, width));
        }
        else
        {
            var job = new RowsJob { Weight = weight, Destination = destination, Width = width };
            context.Pool.Run(job, Cut.Units(weight.OutFeatures, RowsJob.Rows));
        }
    }

    /// <summary>Task: one panel of B(k, n) = weight[n, k].</summary>
    private struct PanelsJob : IJob
    {
        public WeightMatrix Weight;
        public float* Destination;
        public int Width;

        public readonly void Run(int task, int worker)
        {
            int depth = Weight.InFeatures;
            int first = task * Width;
            int count = Math.Min(Width, Weight.OutFeatures - first);
            int paddedColumns = Round(Weight.OutFeatures, Width);
            int passDepth = BlockProduct.PassDepth(depth);
            for (int pass = 0; pass < depth; pass += passDepth)
            {
                int steps = Math.Min(passDepth, depth - pass);
                float* panel = Destination + (nint)pass * paddedColumns + (nint)first * steps;
                PackTransposed(Weight, first, count, pass, steps, panel, Width);
            }
        }
    }

    /// <summary>Task: some rows of B(k, n) = weight[k, n].</summary>
    private struct RowsJob : IJob
    {
        public const int Rows = 16;

        public WeightMatrix Weight;
        public float* Destination;
        public int Width;

        public readonly void Run(int task, int worker)
        {
            int depth = Weight.OutFeatures;
            int paddedColumns = Round(Weight.InFeatures, Width);
            int passDepth = BlockProduct.PassDepth(depth);
            int end = Math.Min((task + 1) * Rows, depth);
            for (int k = task * Rows, rows; k < end; k += rows)
            {
                int pass = k / passDepth * passDepth;
                int steps = Math.Min(passDepth, depth - pass);
                rows = Math.Min(end, pass + steps) - k;
                float* panels = Destination + (nint)pass * paddedColumns + (nint)(k - pass) * Width;
                PackRows(Weight, k, rows, 0, Weight.InFeatures, panels, (nint)steps * Width, Width);
            }
        }
    }
}
