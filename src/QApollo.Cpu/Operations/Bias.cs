using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>What a projection adds to each row of its product, and the gradient of it.</summary>
internal static unsafe class Bias
{
    private const int ElementsPerTask = 8192;
    private const int ColumnsPerTask = 256;

    /// <summary>Rows summed by themselves before they are added to the total: keeps the error of long sums down.</summary>
    private const int RowsPerRun = 128;

    public static void Add(CpuContext context, Tensor values, Tensor bias)
    {
        int rows = Math.Max(1, ElementsPerTask / values.Columns);
        var job = new AddJob
        {
            Values = (float*)values.Address,
            Bias = (float*)bias.Address,
            Rows = values.Rows,
            Columns = values.Columns,
            RowsPerTask = rows,
        };
        context.Pool.Run(job, (values.Rows + rows - 1) / rows);
    }

    public static void Gradient(CpuContext context, Tensor outputGradient, Tensor biasGradient, bool accumulate)
    {
        var job = new GradientJob
        {
            OutputGradient = (float*)outputGradient.Address,
            BiasGradient = (float*)biasGradient.Address,
            Rows = outputGradient.Rows,
            Columns = outputGradient.Columns,
            Accumulate = accumulate,
        };
        context.Pool.Run(job, (outputGradient.Columns + ColumnsPerTask - 1) / ColumnsPerTask);
    }

    private struct AddJob : IJob
    {
        public float* Values;
        public float* Bias;
        public int Rows;
        public int Columns;
        public int RowsPerTask;

        public readonly void Run(int task, int worker)
        {
            int end = Math.Min((task + 1) * RowsPerTask, Rows);
            for (int row = task * RowsPerTask; row < end; row++)
            {
                VectorMath.AddScaled(Values + (long)row * Columns, 1f, Bias, Columns);
            }
        }
    }

    private struct GradientJob : IJob
    {
        public float* OutputGradient;
        public float* BiasGradient;
        public int Rows;
        public int Columns;
        public bool Accumulate;

        public readonly void Run(int task, int worker)
        {
            int first = task * ColumnsPerTask;
            int count = Math.Min(ColumnsPerTask, Columns - first);
            float* total = BiasGradient + first;
            if (!Accumulate)
            {
                new Span<float>(total, count).Clear();
            }

            float* run = stackalloc float[ColumnsPerTask];
            for (int firstRow = 0; firstRow < Rows; firstRow += RowsPerRun)
            {
                new Span<float>(run, count).Clear();
                int end = Math.Min(firstRow + RowsPerRun, Rows);
                for (int row = firstRow; row < end; row++)
                {
                    VectorMath.AddScaled(run, 1f, OutputGradient + (long)row * Columns + first, count);
                }

                VectorMath.AddScaled(total, 1f, run, count);
            }
        }
    }
}
