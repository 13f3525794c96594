using System.Numerics;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>Table look-up and its reverse.</summary>
internal static unsafe class Embedding
{
    private const int RowsPerTask = 16;

    /// <summary>Columns that one thread sums at a time.</summary>
    private const int Chunk = 512;

    public static void Forward(CpuContext context, in WeightMatrix table, Tensor tokens, Tensor output) => context.Pool.Run(
        new ForwardJob { Table = table, Tokens = (int*)tokens.Address, Output = output },
        (output.Rows + RowsPerTask - 1) / RowsPerTask);

    public static void Backward(CpuContext context, Tensor outputGradient, in TokenIndex index, int firstRow, Tensor tableGradient)
    {
        var job = new BackwardJob { OutputGradient = outputGradient, Index = index, FirstRow = firstRow, TableGradient = tableGradient };
        context.Pool.Run(job, (index.Count + RowsPerTask - 1) / RowsPerTask);
    }

    private struct ForwardJob : IJob
    {
        public WeightMatrix Table;
        public int* Tokens;
        public Tensor Output;

        public readonly void Run(int task, int worker)
        {
            int columns = Output.Columns;
            int end = Math.Min((task + 1) * RowsPerTask, Output.Rows);
            for (int n = task * RowsPerTask; n < end; n++)
            {
                float* to = (float*)Output.Address + (long)n * columns;
                float* row = WeightRows.Read(Table, Tokens[n], 0, columns, to);
                if (row != to)
                {
                    new ReadOnlySpan<float>(row, columns).CopyTo(new Span<float>(to, columns));
                }
            }
        }
    }

    /// <summary>Task: some distinct tokens, each a row of its own.</summary>
    private struct BackwardJob : IJob
    {
        public Tensor OutputGradient;
        public TokenIndex Index;
        public int FirstRow;
        public Tensor TableGradient;

        public readonly void Run(int task, int worker)
        {
            float* sum = stackalloc float[Chunk];
            float* buffer = stackalloc float[Chunk];
            int columns = TableGradient.Columns;
            int* tokens = (int*)Index.Tokens.Address;
            int* starts = (int*)Index.Starts.Address;
            int* positions = (int*)Index.Positions.Address;
            int end = Index.First + Math.Min((task + 1) * RowsPerTask, Index.Count);
            for (int entry = Index.First + task * RowsPerTask; entry < end; entry++)
            {
                long row = tokens[entry] - FirstRow;
                for (int column = 0; column < columns; column += Chunk)
                {
                    int count = Math.Min(Chunk, columns - column);
                    new Span<float>(sum, count).Clear();
                    for (int position = starts[entry]; position < starts[entry + 1]; position++)
                    {
                        Add(sum, (float*)OutputGradient.Address + (long)positions[position] * columns + column, count);
                    }

                    float* gradient = Elements.Read(TableGradient, row * columns + column, count, buffer);
                    Add(gradient, sum, count);
                    Elements.Write(TableGradient, row * columns + column, count, gradient);
                }
            }
        }

        private static void Add(float* destination, float* source, int count)
        {
            int width = Vector<float>.Count;
            int i = 0;
            for (; i <= count - width; i += width)
            {
                (Vector.Load(destination + i) + Vector.Load(source + i)).Store(destination + i);
            }

            for (; i < count; i++)
            {
                destination[i] += source[i];
            }
        }
    }
}
