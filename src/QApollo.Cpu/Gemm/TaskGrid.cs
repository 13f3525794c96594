namespace QApollo.Cpu.Gemm;

/// <summary>The parts of a block of results that threads take one after another.</summary>
internal readonly struct TaskGrid
{
    /// <summary>Below this many rows or columns, bringing the operands to the registers would outweigh the product.</summary>
    private const int MinPart = 48;

    /// <summary>Several per thread: one that is held up, or sits on a slower core, leaves its share to the others.</summary>
    public const int TasksPerThread = 4;

    /// <param name="rows">Rows of the results, in at least <paramref name="rowParts"/> parts; tiles are not cut.</param>
    public TaskGrid(CpuContext context, int rows, int columns, int rowParts)
    {
        Microkernel kernel = context.Kernel;
        int columnParts = 1;
        int wanted = context.Pool.Threads == 1 ? 1 : TasksPerThread * context.Pool.Threads;
        while (rowParts * columnParts < wanted)
        {
            int partRows = rows / rowParts;
            int partColumns = columns / columnParts;
            if (Math.Max(partRows, partColumns) < 2 * MinPart)
            {
                break;
            }

            if (partRows > partColumns)
            {
                rowParts++;
            }
            else
            {
                columnParts++;
            }
        }

        Rows = new Cut(rows, kernel.Rows, rowParts);
        Columns = new Cut(columns, kernel.Columns, columnParts);
    }

    public Cut Rows { get; }

    public Cut Columns { get; }

    public int Tasks => Rows.Parts * Columns.Parts;
}
