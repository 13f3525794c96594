using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Gemm;

/// <summary>
/// C [rows, columns] = initial + A B on all threads. The sum over k is never split, so that no result depends on the number
/// of threads.
/// </summary>
internal static unsafe class Product
{
    /// <summary>Scratch memory for products of any shape.</summary>
    public static long WorkspaceBytes(int threads) => Math.Max((long)threads * LeftOperand.Bytes, PipelinedProduct.WorkspaceBytes(threads));

    /// <param name="initial">Absent for none; F32, may be <paramref name="output"/>.</param>
    /// <param name="output">F32; BF16 unless B is packed: the product is then formed in F32, and added or converted once.</param>
    public static void Run(CpuContext context, in LeftMatrix a, in RightOperand b, Tensor initial, Tensor output)
    {
        if (b.Packed.IsAbsent)
        {
            PipelinedProduct.Run(context, a, b, initial, output);
            return;
        }

        var job = new Job
        {
            Kernel = context.Kernel,
            A = a,
            Depth = b.Depth,
            Panels = (float*)b.Packed.Address,
            Initial = (float*)initial.Address,
            Output = (float*)output.Address,
            Stride = output.Columns,
            Workspace = (byte*)context.Workspace.Address,
            Grid = new TaskGrid(context, output.Rows, output.Columns, Cut.Units(output.Rows, LeftOperand.MaxRows)),
        };
        context.Pool.Run(job, job.Grid.Tasks);
    }

    /// <summary>Task: a part of the results.</summary>
    private struct Job : IJob
    {
        public Microkernel Kernel;
        public LeftMatrix A;
        public int Depth;
        public float* Panels;
        public float* Initial;
        public float* Output;
        public int Stride;
        public byte* Workspace;
        public TaskGrid Grid;

        public readonly void Run(int task, int worker)
        {
            int rowPart = task / Grid.Columns.Parts;
            int columnPart = task % Grid.Columns.Parts;
            int row = Grid.Rows.Start(rowPart);
            int rows = Grid.Rows.Length(rowPart);
            int column = Grid.Columns.Start(columnPart);
            int columns = Grid.Columns.Length(columnPart);
            int paddedColumns = PackedMatrix.Round(Stride, Kernel.Columns);
            float* copy = (float*)(Workspace + (nint)worker * LeftOperand.Bytes);
            nint offset = (nint)row * Stride + column;
            float* c = Output + offset;
            float* initial = Initial == null ? null : Initial + offset;
            int passDepth = BlockProduct.PassDepth(Depth);
            for (int k = 0; k < Depth; k += passDepth)
            {
                int steps = Math.Min(passDepth, Depth - k);
                LeftBlock left = LeftOperand.Copy(A, row, rows, k, steps, Kernel.Rows, copy);
                float* panels = Panels + (nint)k * paddedColumns + (nint)column * steps;
                BlockProduct.RunPass(
                    Kernel, left, panels, (nint)steps * Kernel.Columns, rows, columns, steps, initial, Stride, c, Stride);
                initial = c;
            }
        }
    }
}
