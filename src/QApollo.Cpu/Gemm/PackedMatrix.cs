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

    public static int Round(int value, int unit) => (value + unit - 1) / unit * unit;

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
        for (; columns >= width; columns -= width)
        {
            new ReadOnlySpan<float>(row, width).CopyTo(new Span<float>(panels, width));
            row += width;
            panels += panelStride;
        }

        if (columns > 0)
        {
            new ReadOnlySpan<float>(row, columns).CopyTo(new Span<float>(panels, columns));
            new Span<float>(panels + columns, width - columns).Clear();
        }
    }

    /// <summary>Packs columns firstColumn .. + columns of B(k, n) = weight[n, k].</summary>
    public static void PackForward(CpuContext context, in WeightMatrix weight, int firstColumn, int columns, float* destination)
    {
        int width = context.Kernel.Columns;
        context.Pool.Run(
            new ForwardJob
            {
                Weight = weight.RowRange(firstColumn, columns),
                Destination = destination,
                Width = width,
                PaddedColumns = Round(columns, width),
            },
            Round(columns, width) / width);
    }

    /// <summary>Packs columns firstColumn .. + columns of B(k, n) = weight[k, n].</summary>
    /// <param name="passDepth">That of the product: <see cref="BlockProduct.PassDepth"/> of all its depth.</param>
    public static void PackInputGradient(CpuContext context, in WeightMatrix weight, int firstColumn, int columns, int passDepth, float* destination)
    {
        var job = new RowsJob
        {
            Weight = weight,
            FirstColumn = firstColumn,
            Columns = columns,
            PassDepth = passDepth,
            Destination = destination,
            Width = context.Kernel.Columns,
        };
        context.Pool.Run(job, Round(weight.OutFeatures, RowsJob.Rows) / RowsJob.Rows);
    }

    /// <summary>Task: one panel.</summary>
    private struct ForwardJob : IJob
    {
        private const int Steps = 64;

        public WeightMatrix Weight;
        public float* Destination;
        public int Width;
        public int PaddedColumns;

        public readonly void Run(int task, int worker)
        {
            float* buffer = stackalloc float[Microkernel.MaxColumns * Steps];
            int depth = Weight.InFeatures;
            int first = task * Width;
            int count = Math.Min(Width, Weight.OutFeatures - first);
            int passDepth = BlockProduct.PassDepth(depth);
            for (int k = 0, steps; k < depth; k += steps)
            {
                int pass = k / passDepth * passDepth;
                int passSteps = Math.Min(passDepth, depth - pass);
                steps = Math.Min(Steps, pass + passSteps - k);
                float* panel = Destination + (nint)pass * PaddedColumns + (nint)first * passSteps + (nint)(k - pass) * Width;
                float* rows = buffer;
                nint stride = Steps;
                if (Weight.Values.DType == DType.F32)
                {
                    rows = (float*)Weight.Values.Address + (long)first * depth + k;
                    stride = depth;
                }
                else
                {
                    for (int j = 0; j < count; j++)
                    {
                        WeightRows.Read(Weight, first + j, k, steps, buffer + j * Steps);
                    }
                }

                PackTransposed(rows, stride, count, steps, panel, Width);
            }
        }
    }

    /// <summary>Task: some rows of the weight.</summary>
    private struct RowsJob : IJob
    {
        public const int Rows = 16;
        private const int Chunk = 1024;

        public WeightMatrix Weight;
        public int FirstColumn;
        public int Columns;
        public int PassDepth;
        public float* Destination;
        public int Width;

        public readonly void Run(int task, int worker)
        {
            float* buffer = stackalloc float[Chunk];
            int depth = Weight.OutFeatures;
            int paddedColumns = Round(Columns, Width);
            int end = Math.Min((task + 1) * Rows, depth);
            for (int k = task * Rows; k < end; k++)
            {
                int pass = k / PassDepth * PassDepth;
                int steps = Math.Min(PassDepth, depth - pass);
                float* panels = Destination + (nint)pass * paddedColumns + (nint)(k - pass) * Width;
                for (int column = 0; column < Columns; column += Chunk)
                {
                    int count = Math.Min(Chunk, Columns - column);
                    float* row = WeightRows.Read(Weight, k, FirstColumn + column, count, buffer);
                    PackRow(row, count, panels + (nint)column * steps, (nint)steps * Width, Width);
                }
            }
        }
    }
}
