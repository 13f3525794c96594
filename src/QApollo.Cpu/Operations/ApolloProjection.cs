using System.Numerics;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>The random projection of a gradient along its smaller side, and the channels' sums of squares.</summary>
internal static unsafe class ApolloProjection
{
    /// <summary>Elements of a row that are read at a time.</summary>
    private const int Chunk = 1024;

    /// <summary>Columns per task when channels are columns.</summary>
    private const int ColumnsPerTask = 128;

    /// <summary>Rows whose squares are summed before they join the total: keeps binary32 sums of tall matrices accurate.</summary>
    private const int RowsPerRun = 64;

    /// <summary>From this rank on, a pass for the squares and a matrix product beat one pass that does both.</summary>
    private const int ManyRanks = 8;

    public static void Project(CpuContext context, Tensor gradient, Tensor projection, Tensor projected, Tensor channelSquares)
    {
        bool channelsAreRows = gradient.Rows >= gradient.Columns;
        int rank = channelsAreRows ? projection.Rows : projection.Columns;
        if (rank >= ManyRanks)
        {
            if (channelsAreRows)
            {
                Linear.Forward(context, gradient, new WeightMatrix(projection), projected, addend: default);
            }
            else
            {
                Linear.WeightGradient(context, projection, gradient, projected, accumulate: false);
            }

            rank = 0;
        }

        if (channelsAreRows)
        {
            int rows = Math.Max(1, 16384 / gradient.Columns);
            var job = new RightJob
            {
                Gradient = gradient,
                Projection = projection,
                Projected = projected,
                Squares = (float*)channelSquares.Address,
                Rank = rank,
                RowsPerTask = rows,
            };
            context.Pool.Run(job, (gradient.Rows + rows - 1) / rows);
        }
        else
        {
            var job = new LeftJob
            {
                Gradient = gradient,
                Projection = projection,
                Projected = projected,
                Squares = (float*)channelSquares.Address,
                Rank = rank,
            };
            context.Pool.Run(job, (gradient.Columns + ColumnsPerTask - 1) / ColumnsPerTask);
        }
    }

    /// <summary>R = G Pᵀ, P [r, n]. Task: some rows.</summary>
    private struct RightJob : IJob
    {
        public Tensor Gradient;
        public Tensor Projection;
        public Tensor Projected;
        public float* Squares;

        /// <summary>0 for the squares alone.</summary>
        public int Rank;
        public int RowsPerTask;

        public readonly void Run(int task, int worker)
        {
            float* buffer = stackalloc float[Chunk];
            int columns = Gradient.Columns;
            int end = Math.Min((task + 1) * RowsPerTask, Gradient.Rows);
            for (int row = task * RowsPerTask; row < end; row++)
            {
                float* projected = (float*)Projected.Address + (long)row * Rank;
                new Span<float>(projected, Rank).Clear();
                double squares = 0;
                for (int column = 0; column < columns; column += Chunk)
                {
                    int count = Math.Min(Chunk, columns - column);
                    float* g = Elements.Read(Gradient, (long)row * columns + column, count, buffer);
                    squares += VectorMath.Dot(g, g, count);
                    for (int k = 0; k < Rank; k++)
                    {
                        projected[k] += VectorMath.Dot(g, (float*)Projection.Address + (long)k * columns + column, count);
                    }
                }

                Squares[row] = (float)squares;
            }
        }
    }

    /// <summary>R = Pᵀ G, P [m, r]. Task: some columns.</summary>
    private struct LeftJob : IJob
    {
        public Tensor Gradient;
        public Tensor Projection;
        public Tensor Projected;
        public float* Squares;

        /// <summary>0 for the squares alone.</summary>
        public int Rank;

        public readonly void Run(int task, int worker)
        {
            float* buffer = stackalloc float[ColumnsPerTask];
            float* run = stackalloc float[ColumnsPerTask];
            int first = task * ColumnsPerTask;
            int count = Math.Min(ColumnsPerTask, Gradient.Columns - first);
            float* projection = (float*)Projection.Address;
            float* projected = (float*)Projected.Address + first;
            float* squares = Squares + first;
            new Span<float>(squares, count).Clear();
            for (int k = 0; k < Rank; k++)
            {
                new Span<float>(projected + (long)k * Gradient.Columns, count).Clear();
            }

            for (int start = 0; start < Gradient.Rows; start += RowsPerRun)
            {
                int end = Math.Min(start + RowsPerRun, Gradient.Rows);
                new Span<float>(run, count).Clear();
                for (int row = start; row < end; row++)
                {
                    float* g = Elements.Read(Gradient, (long)row * Gradient.Columns + first, count, buffer);
                    AddSquares(run, g, count);
                    for (int k = 0; k < Rank; k++)
                    {
                        VectorMath.AddScaled(projected + (long)k * Gradient.Columns, projection[(long)row * Rank + k], g, count);
                    }
                }

                VectorMath.AddScaled(squares, 1f, run, count);
            }
        }

        private static void AddSquares(float* destination, float* source, int count)
        {
            int width = Vector<float>.Count;
            int i = 0;
            for (; i <= count - width; i += width)
            {
                Vector<float> x = Vector.Load(source + i);
                VectorMath.MultiplyAdd(x, x, Vector.Load(destination + i)).Store(destination + i);
            }

            for (; i < count; i++)
            {
                destination[i] += source[i] * source[i];
            }
        }
    }
}
