using System.Numerics;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>Weighted sums of squares of a matrix's rows or columns; each in an order that depends on the shape alone.</summary>
internal static unsafe class SquareSums
{
    /// <summary>Elements of a row that are read at a time.</summary>
    private const int Chunk = 1024;

    private const int ColumnsPerTask = 128;

    /// <summary>Rows whose squares are summed before they join the total: keeps binary32 sums of tall matrices accurate.</summary>
    private const int RowsPerRun = 64;

    public static void Sum(CpuContext context, Tensor values, ChannelAxis axis, Tensor weights, Tensor sums)
    {
        float* w = weights.IsAbsent ? null : (float*)weights.Address;
        if (axis == ChannelAxis.Rows)
        {
            int rows = Math.Max(1, 16384 / values.Columns);
            context.Pool.Run(new RowJob { Values = values, Weights = w, Sums = (float*)sums.Address, RowsPerTask = rows }, (values.Rows + rows - 1) / rows);
        }
        else
        {
            context.Pool.Run(
                new ColumnJob { Values = values, Weights = w, Sums = (float*)sums.Address }, (values.Columns + ColumnsPerTask - 1) / ColumnsPerTask);
        }
    }

    private static float Dot(float* values, float* weights, int count)
    {
        int width = Vector<float>.Count;
        Vector<float> sum = default;
        int i = 0;
        for (; i <= count - width; i += width)
        {
            Vector<float> x = Vector.Load(values + i);
            sum = VectorMath.MultiplyAdd(x * x, Vector.Load(weights + i), sum);
        }

        float total = Vector.Sum(sum);
        for (; i < count; i++)
        {
            total += values[i] * values[i] * weights[i];
        }

        return total;
    }

    /// <summary>Task: some rows.</summary>
    private struct RowJob : IJob
    {
        public Tensor Values;

        /// <summary>Null: all are 1.</summary>
        public float* Weights;
        public float* Sums;
        public int RowsPerTask;

        public readonly void Run(int task, int worker)
        {
            float* buffer = stackalloc float[Chunk];
            int columns = Values.Columns;
            int end = Math.Min((task + 1) * RowsPerTask, Values.Rows);
            for (int row = task * RowsPerTask; row < end; row++)
            {
                double sum = 0;
                for (int column = 0; column < columns; column += Chunk)
                {
                    int count = Math.Min(Chunk, columns - column);
                    float* x = Elements.Read(Values, (long)row * columns + column, count, buffer);
                    sum += Weights == null ? VectorMath.Dot(x, x, count) : Dot(x, Weights + column, count);
                }

                Sums[row] = (float)sum;
            }
        }
    }

    /// <summary>Task: some columns.</summary>
    private struct ColumnJob : IJob
    {
        public Tensor Values;

        /// <summary>Null: all are 1.</summary>
        public float* Weights;
        public float* Sums;

        public readonly void Run(int task, int worker)
        {
            float* buffer = stackalloc float[ColumnsPerTask];
            float* run = stackalloc float[ColumnsPerTask];
            int first = task * ColumnsPerTask;
            int count = Math.Min(ColumnsPerTask, Values.Columns - first);
            float* sums = Sums + first;
            new Span<float>(sums, count).Clear();
            for (int start = 0; start < Values.Rows; start += RowsPerRun)
            {
                int end = Math.Min(start + RowsPerRun, Values.Rows);
                new Span<float>(run, count).Clear();
                for (int row = start; row < end; row++)
                {
                    AddSquares(run, Elements.Read(Values, (long)row * Values.Columns + first, count, buffer), Weights == null ? 1f : Weights[row], count);
                }

                VectorMath.AddScaled(sums, 1f, run, count);
            }
        }

        private static void AddSquares(float* destination, float* values, float weight, int count)
        {
            int width = Vector<float>.Count;
            int i = 0;
            for (; i <= count - width; i += width)
            {
                Vector<float> x = Vector.Load(values + i);
                VectorMath.MultiplyAdd(x * x, Vector.Create(weight), Vector.Load(destination + i)).Store(destination + i);
            }

            for (; i < count; i++)
            {
                destination[i] += values[i] * values[i] * weight;
            }
        }
    }
}
