using System.Runtime.InteropServices;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Gemm;

/// <summary>
/// A product whose right operand is still to be packed. A block of the results is cut into strips of columns, each of which is
/// computed pass by pass of the depth: a thread packs the strip's part of the right operand for the pass, for itself, and then
/// multiplies it with part after part of the rows, so that it stays in the second-level cache. A thread keeps to its strip
/// while there is work. There is no barrier between passes: a part of the results waits for itself in the pass before, which
/// was taken long before.
/// </summary>
internal static unsafe class PipelinedProduct
{
    private const int MaxBlockRows = 960;

    private const int MaxBlockColumns = 704;

    /// <summary>Fewer would not use what is in the first-level cache often enough.</summary>
    private const int MinPartRows = 48;

    private const int MinStripColumns = 64;

    private const int MaxStrips = MaxBlockColumns / MinStripColumns;

    private const int MaxParts = MaxStrips * (MaxBlockRows / MinPartRows);

    /// <summary>Each counter has a cache line of its own.</summary>
    private const int CounterBytes = 64;

    private const int CountersBytes = (MaxStrips + MaxParts) * CounterBytes;

    /// <summary>Rows and columns of a block whose results pass through scratch memory.</summary>
    private const int MaxScratchRows = 480, MaxScratchColumns = 256;

    private const int ResultBytes = MaxScratchRows * MaxScratchColumns * sizeof(float);

    private const int PanelBytes = BlockProduct.MaxDepth * MaxBlockColumns * sizeof(float);

    private const int ThreadBytes = PanelBytes + LeftOperand.Bytes;

    public static long WorkspaceBytes(int threads) => CountersBytes + ResultBytes + (long)threads * ThreadBytes;

    /// <summary>See <see cref="Product.Run"/>.</summary>
    public static void Run(CpuContext context, in LeftMatrix a, in RightOperand b, Tensor initial, Tensor output)
    {
        int height = context.Kernel.Rows;
        int width = context.Kernel.Columns;
        int threads = context.Pool.Threads;
        bool direct = output.DType == DType.F32;
        int blockRows = BlockLength(output.Rows, direct ? MaxBlockRows : MaxScratchRows, height);
        int blockColumns = BlockLength(output.Columns, direct ? MaxBlockColumns : MaxScratchColumns, width);

        // With s strips, a thread packs 1/s of B and copies s/threads of A: least where both are about as long.
        int strips = (int)Math.Round(Math.Sqrt((double)threads * blockColumns / blockRows));
        strips = Math.Clamp(strips, 1, Math.Min(threads, Math.Max(1, blockColumns / MinStripColumns)));

        int minParts = Cut.Units(blockRows, LeftOperand.MaxRows);
        int parts = Math.Clamp(TaskGrid.TasksPerThread * threads / strips, minParts, Math.Max(minParts, blockRows / MinPartRows));
        var job = new Job
        {
            Kernel = context.Kernel,
            A = a,
            B = b,
            Initial = (float*)initial.Address,
            Output = output,
            Accumulate = !initial.IsAbsent,
            Workspace = (byte*)context.Workspace.Address,
            BlockRows = blockRows,
            BlockColumns = blockColumns,
            ColumnBlocks = Cut.Units(output.Columns, blockColumns),
            Passes = Cut.Units(b.Depth, BlockProduct.PassDepth(b.Depth)),
            Parts = new Cut(blockRows, height, parts),
            Strips = new Cut(blockColumns, width, strips),
        };
        job.Stages = Cut.Units(output.Rows, blockRows) * job.ColumnBlocks * job.Passes;
        NativeMemory.Clear(job.Workspace, CountersBytes);
        context.Pool.Run(job, threads);
    }

    /// <summary>Blocks of about equal length, a multiple of the unit.</summary>
    private static int BlockLength(int length, int max, int unit) =>
        PackedMatrix.Round(Cut.Units(PackedMatrix.Round(length, unit), Cut.Units(length, max)), unit);

    /// <summary>Task: one thread's work, its own strip first.</summary>
    private struct Job : IJob
    {
        public Microkernel Kernel;
        public LeftMatrix A;
        public RightOperand B;
        public float* Initial;
        public Tensor Output;
        public bool Accumulate;
        public byte* Workspace;
        public int BlockRows;
        public int BlockColumns;
        public int ColumnBlocks;
        public int Passes;
        public int Stages;
        public Cut Parts;
        public Cut Strips;

        public readonly void Run(int task, int worker)
        {
            byte* workspace = Workspace + CountersBytes + ResultBytes + (nint)worker * ThreadBytes;
            for (int i = 0; i < Strips.Parts; i++)
            {
                int strip = (task + i) % Strips.Parts;
                int packedStage = -1;
                for (int next; (next = Interlocked.Increment(ref *TakenOfStrip(strip)) - 1) < Stages * Parts.Parts;)
                {
                    (int stage, int part) = Math.DivRem(next, Parts.Parts);
                    Multiply(At(stage, strip, part), strip, part, packed: stage == packedStage, workspace);
                    packedStage = stage;
                }
            }
        }

        private readonly int* TakenOfStrip(int strip) => (int*)(Workspace + strip * CounterBytes);

        private readonly int* StagesDone(int strip, int part) =>
            (int*)(Workspace + (MaxStrips + strip * Parts.Parts + part) * CounterBytes);

        /// <summary>A stage is one pass of the depth of one block of the results.</summary>
        private readonly Piece At(int stage, int strip, int part)
        {
            (int block, int pass) = Math.DivRem(stage, Passes);
            (int rowBlock, int columnBlock) = Math.DivRem(block, ColumnBlocks);
            int passDepth = BlockProduct.PassDepth(B.Depth);
            int row = rowBlock * BlockRows + Parts.Start(part);
            int column = columnBlock * BlockColumns + Strips.Start(strip);
            return new Piece(
                stage, row, Math.Min(Parts.Length(part), Output.Rows - row), column, Math.Min(Strips.Length(strip), Output.Columns - column),
                pass * passDepth, Math.Min(passDepth, B.Depth - pass * passDepth));
        }

        private readonly void Multiply(in Piece piece, int strip, int part, bool packed, byte* workspace)
        {
            float* panels = (float*)workspace;
            if (piece.Columns > 0 && !packed)
            {
                PackedMatrix.Pack(B, piece.Column, piece.Columns, piece.Step, piece.Steps, panels, Kernel.Columns);
            }

            int* stagesDone = StagesDone(strip, part);
            if (piece.Rows > 0 && piece.Columns > 0)
            {
                LeftBlock left = LeftOperand.Copy(
                    A, piece.Row, piece.Rows, piece.Step, piece.Steps, Kernel.Rows, (float*)(workspace + PanelBytes));
                Await(stagesDone, piece.Stage);
                nint offset = (nint)piece.Row * Output.Columns + piece.Column;
                bool direct = Output.DType == DType.F32;
                float* c = direct
                    ? (float*)Output.Address + offset
                    : (float*)(Workspace + CountersBytes) + (nint)Parts.Start(part) * BlockColumns + Strips.Start(strip);
                nint cRow = direct ? Output.Columns : BlockColumns;
                float* initial = piece.Step > 0 ? c : direct && Accumulate ? Initial + offset : null;
                BlockProduct.RunPass(
                    Kernel, left, panels, (nint)piece.Steps * Kernel.Columns, piece.Rows, piece.Columns, piece.Steps, initial, cRow, c, cRow);
                if (!direct && piece.Step + piece.Steps == B.Depth)
                {
                    Store(c, piece.Rows, piece.Columns, (ushort*)Output.Address + offset);
                }
            }
            else
            {
                // The last blocks have parts without results; their turn comes after the stage before all the same.
                Await(stagesDone, piece.Stage);
            }

            Volatile.Write(ref *stagesDone, piece.Stage + 1);
        }

        private static void Await(int* counter, int value)
        {
            var spinner = default(SpinWait);
            while (Volatile.Read(ref *counter) < value)
            {
                spinner.SpinOnce(sleep1Threshold: -1);
            }
        }

        private readonly void Store(float* results, int rows, int columns, ushort* output)
        {
            float* old = stackalloc float[MaxScratchColumns];
            for (int i = 0; i < rows; i++, results += BlockColumns, output += Output.Columns)
            {
                if (Accumulate)
                {
                    Elements.FromBFloat(output, old, columns);
                    VectorMath.AddScaled(results, 1f, old, columns);
                }

                Elements.ToBFloat(results, output, columns);
            }
        }
    }

    /// <summary>Rows and columns of the results, steps of the depth.</summary>
    private readonly record struct Piece(int Stage, int Row, int Rows, int Column, int Columns, int Step, int Steps);
}
