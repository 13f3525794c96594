using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Gemm;

/// <summary>C [rows, columns] = initial + A B on all threads, B packed. The sum over k is never split.</summary>
internal static unsafe class Product
{
    /// <summary>Rows per task: a multiple of every kernel's tile; with the pass depth, the part of A that stays in the second-level cache.</summary>
    private const int BlockRows = 96;

    /// <summary>Columns per task when the results pass through scratch memory.</summary>
    private const int BlockColumns = 256;

    private const int TileBytes = BlockRows * BlockColumns * sizeof(float);

    /// <summary>Scratch memory of one thread: a tile of results, a block of A.</summary>
    public static int ThreadWorkspaceBytes => TileBytes + LeftOperand.Elements(BlockRows) * sizeof(float);

    /// <param name="panels">B as <see cref="PackedMatrix"/> lays it out.</param>
    /// <param name="initial">Address of element (0, 0), null for none; may be <paramref name="output"/>. F32.</param>
    /// <param name="output">Address of element (0, 0).</param>
    /// <param name="stride">Elements per row of both.</param>
    /// <param name="outputType">F32, or BF16: the product is then formed in F32 and added or converted once.</param>
    /// <param name="accumulate">For BF16: add to the output.</param>
    public static void Run(
        CpuContext context, in LeftMatrix a, float* panels, int columns,
        float* initial, void* output, nint stride, DType outputType, bool accumulate, byte* threadWorkspace)
    {
        int width = context.Kernel.Columns;
        int rowBlocks = (a.Rows + BlockRows - 1) / BlockRows;
        int blockColumns = PackedMatrix.Round(columns, width);
        if (outputType != DType.F32)
        {
            blockColumns = BlockColumns;
        }
        else
        {
            int wantedTasks = context.Pool.Threads == 1 ? 1 : 4 * context.Pool.Threads;
            int parts = Math.Max(1, wantedTasks / rowBlocks);
            blockColumns = PackedMatrix.Round(Math.Max((columns + parts - 1) / parts, 1), width);
        }

        var job = new Job
        {
            Kernel = context.Kernel,
            A = a,
            Panels = panels,
            Columns = columns,
            Initial = initial,
            Output = output,
            Stride = stride,
            OutputType = outputType,
            Accumulate = accumulate,
            Workspace = threadWorkspace,
            ColumnBlocks = (columns + blockColumns - 1) / blockColumns,
            BlockColumnCount = blockColumns,
        };
        context.Pool.Run(job, rowBlocks * job.ColumnBlocks);
    }

    /// <summary>Task: a block of results.</summary>
    private struct Job : IJob
    {
        public Microkernel Kernel;
        public LeftMatrix A;
        public float* Panels;
        public int Columns;
        public float* Initial;
        public void* Output;
        public nint Stride;
        public DType OutputType;
        public bool Accumulate;
        public byte* Workspace;
        public int ColumnBlocks;
        public int BlockColumnCount;

        public readonly void Run(int task, int worker)
        {
            int row = task / ColumnBlocks * BlockRows;
            int column = task % ColumnBlocks * BlockColumnCount;
            int rows = Math.Min(BlockRows, A.Rows - row);
            int columns = Math.Min(BlockColumnCount, Columns - column);
            int depth = A.Depth;
            int paddedColumns = PackedMatrix.Round(Columns, Kernel.Columns);
            nint offset = row * Stride + column;
            byte* workspace = Workspace + (nint)worker * ThreadWorkspaceBytes;
            float* copy = (float*)(workspace + TileBytes);
            float* tile = (float*)workspace;
            bool direct = OutputType == DType.F32;
            float* c = direct ? (float*)Output + offset : tile;
            nint cRow = direct ? Stride : columns;
            float* initial = Initial == null ? null : Initial + offset;
            nint initialRow = Stride;
            int passDepth = A.PassDepth;
            for (int k = 0; k < depth; k += passDepth)
            {
                int steps = Math.Min(passDepth, depth - k);
                LeftBlock left = LeftOperand.Copy(A, row, rows, k, steps, Kernel.Rows, copy);
                float* panels = Panels + (nint)k * paddedColumns + (nint)column * steps;
                BlockProduct.RunPass(
                    Kernel, left, panels, (nint)steps * Kernel.Columns, rows, columns, steps, initial, initialRow, c, cRow);
                initial = c;
                initialRow = cRow;
            }

            if (direct)
            {
                return;
            }

            float* old = stackalloc float[BlockColumns];
            for (int i = 0; i < rows; i++)
            {
                ushort* to = (ushort*)Output + offset + i * Stride;
                float* from = tile + i * columns;
                if (Accumulate)
                {
                    Elements.FromBFloat(to, old, columns);
                    VectorMath.AddScaled(from, 1f, old, columns);
                }

                Elements.ToBFloat(from, to, columns);
            }
        }
    }
}
