using System.Numerics;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>Row and column scales of a gradient: what SCALE, SinkGD and RACS make of it.</summary>
internal static unsafe class Normalization
{
    /// <summary>Elements of a row that are read at a time.</summary>
    private const int Chunk = 1024;

    /// <summary>Columns per task when columns are summed.</summary>
    private const int ColumnsPerTask = 128;

    /// <summary>Rows whose squares are summed before they join the total: keeps binary32 sums of tall matrices accurate.</summary>
    private const int RowsPerRun = 64;

    public static void WeightedSquares(CpuContext context, Tensor gradient, ChannelAxis axis, Tensor weights, Tensor sums)
    {
        if (axis == ChannelAxis.Rows)
        {
            int rows = RowsPerTask(gradient);
            var job = new RowSquaresJob { Gradient = gradient, Weights = (float*)weights.Address, Sums = (float*)sums.Address, RowsPerTask = rows };
            context.Pool.Run(job, (gradient.Rows + rows - 1) / rows);
        }
        else
        {
            var job = new ColumnSquaresJob { Gradient = gradient, Weights = (float*)weights.Address, Sums = (float*)sums.Address };
            context.Pool.Run(job, (gradient.Columns + ColumnsPerTask - 1) / ColumnsPerTask);
        }
    }

    public static void ChannelFactors(Tensor values, Tensor divisor, in FactorScalars scalars, Tensor factors)
    {
        float* x = (float*)values.Address;
        float* target = (float*)factors.Address;
        float d = divisor.IsAbsent ? 1f : *(float*)divisor.Address;
        for (long i = 0; i < values.Elements; i++)
        {
            float factor = float.IsFinite(x[i]) ? scalars.Scale * Power(MathF.Max(x[i], scalars.Floor), scalars.Power) / d : float.NaN;
            bool isFinite = float.IsFinite(factor);
            if (scalars.Decay == 0)
            {
                target[i] = isFinite ? factor : 0;
            }
            else if (isFinite)
            {
                target[i] = (scalars.Decay * target[i]) + ((1 - scalars.Decay) * factor);
            }
        }
    }

    public static void ScaleRows(CpuContext context, Tensor gradient, Tensor factors)
    {
        int rows = RowsPerTask(gradient);
        context.Pool.Run(new ScaleRowsJob { Gradient = gradient, Factors = (float*)factors.Address, RowsPerTask = rows }, (gradient.Rows + rows - 1) / rows);
    }

    public static void LimitGrowth(Tensor squares, Tensor divisors, bool storeOnly, Tensor limiterNorm, Tensor limit, Tensor limited)
    {
        float* numerators = (float*)squares.Address;
        float* denominators = (float*)divisors.Address;
        double sum = 0;
        for (long i = 0; i < squares.Elements; i++)
        {
            sum += (double)numerators[i] / denominators[i];
        }

        float* stored = (float*)limiterNorm.Address;
        float* divisor = (float*)limit.Address;
        float norm = (float)Math.Sqrt(sum);
        if (!float.IsFinite(norm))
        {
            *divisor = float.PositiveInfinity;
            return;
        }

        *divisor = storeOnly || *stored == 0
            ? 1
            : MathF.Max(norm / (*stored + ApolloScalars.NormEpsilon), ApolloScalars.LimiterGrowth) / ApolloScalars.LimiterGrowth;
        *stored = norm / *divisor;
        *(long*)limited.Address += *divisor > 1 ? 1 : 0;
    }

    private static float Power(float value, FactorPower power) => power switch
    {
        FactorPower.Root => MathF.Sqrt(value),
        FactorPower.Reciprocal => 1 / value,
        FactorPower.ReciprocalRoot => 1 / MathF.Sqrt(value),
        _ => value,
    };

    private static int RowsPerTask(Tensor gradient) => Math.Max(1, 16384 / gradient.Columns);

    /// <summary>Sum of w g².</summary>
    private static double Squares(float* g, float* weights, int count)
    {
        Vector<float> sums = Vector<float>.Zero;
        int width = Vector<float>.Count, i = 0;
        for (; i <= count - width; i += width)
        {
            Vector<float> x = Vector.Load(g + i);
            sums = VectorMath.MultiplyAdd(x * Vector.Load(weights + i), x, sums);
        }

        double sum = Vector.Sum(sums);
        for (; i < count; i++)
        {
            sum += (double)g[i] * weights[i] * g[i];
        }

        return sum;
    }

    /// <summary>Task: some rows.</summary>
    private struct RowSquaresJob : IJob
    {
        public Tensor Gradient;
        public float* Weights;
        public float* Sums;
        public int RowsPerTask;

        public readonly void Run(int task, int worker)
        {
            float* buffer = stackalloc float[Chunk];
            int columns = Gradient.Columns;
            int end = Math.Min((task + 1) * RowsPerTask, Gradient.Rows);
            for (int row = task * RowsPerTask; row < end; row++)
            {
                double sum = 0;
                for (int column = 0; column < columns; column += Chunk)
                {
                    int count = Math.Min(Chunk, columns - column);
                    float* g = Elements.Read(Gradient, ((long)row * columns) + column, count, buffer);
                    sum += Weights == null ? VectorMath.Dot(g, g, count) : Squares(g, Weights + column, count);
                }

                Sums[row] = (float)sum;
            }
        }
    }

    /// <summary>Task: some columns.</summary>
    private struct ColumnSquaresJob : IJob
    {
        public Tensor Gradient;
        public float* Weights;
        public float* Sums;

        public readonly void Run(int task, int worker)
        {
            float* buffer = stackalloc float[ColumnsPerTask];
            float* run = stackalloc float[ColumnsPerTask];
            int first = task * ColumnsPerTask;
            int count = Math.Min(ColumnsPerTask, Gradient.Columns - first);
            new Span<float>(Sums + first, count).Clear();
            for (int start = 0; start < Gradient.Rows; start += RowsPerRun)
            {
                int end = Math.Min(start + RowsPerRun, Gradient.Rows);
                new Span<float>(run, count).Clear();
                for (int row = start; row < end; row++)
                {
                    float* g = Elements.Read(Gradient, ((long)row * Gradient.Columns) + first, count, buffer);
                    Add(run, g, Weights == null ? 1f : Weights[row], count);
                }

                VectorMath.AddScaled(Sums + first, 1f, run, count);
            }
        }

        private static void Add(float* sums, float* g, float weight, int count)
        {
            int width = Vector<float>.Count, i = 0;
            for (; i <= count - width; i += width)
            {
                Vector<float> x = Vector.Load(g + i);
                VectorMath.MultiplyAdd(x * weight, x, Vector.Load(sums + i)).Store(sums + i);
            }

            for (; i < count; i++)
            {
                sums[i] += g[i] * weight * g[i];
            }
        }
    }

    /// <summary>Task: some rows.</summary>
    private struct ScaleRowsJob : IJob
    {
        public Tensor Gradient;
        public float* Factors;
        public int RowsPerTask;

        public readonly void Run(int task, int worker)
        {
            float* buffer = stackalloc float[Chunk];
            int columns = Gradient.Columns;
            int end = Math.Min((task + 1) * RowsPerTask, Gradient.Rows);
            for (int row = task * RowsPerTask; row < end; row++)
            {
                for (int column = 0; column < columns; column += Chunk)
                {
                    long at = ((long)row * columns) + column;
                    int count = Math.Min(Chunk, columns - column);
                    float* g = Elements.Read(Gradient, at, count, buffer);
                    VectorMath.Multiply(g, Factors[row], buffer, count);
                    Elements.Write(Gradient, at, count, buffer);
                }
            }
        }
    }
}
