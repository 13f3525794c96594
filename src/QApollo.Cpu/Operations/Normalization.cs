using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>What SCALE, SinkGD and RACS do between sums of squares and the update.</summary>
internal static unsafe class Normalization
{
    /// <summary>Elements that are read at a time.</summary>
    private const int Chunk = 1024;

    public static void ScaleRows(CpuContext context, Tensor values, Tensor factors)
    {
        int rows = Math.Max(1, 16384 / values.Columns);
        context.Pool.Run(new RowJob { Values = values, Factors = (float*)factors.Address, RowsPerTask = rows }, (values.Rows + rows - 1) / rows);
    }

    public static void Reciprocal(Tensor values, bool root, float scale, Tensor output)
    {
        float* x = (float*)values.Address, y = (float*)output.Address;
        for (int i = 0; i < values.Columns; i++)
        {
            bool has = x[i] > 0 && float.IsFinite(x[i]);
            y[i] = has ? scale / (root ? MathF.Sqrt(x[i]) : x[i]) : 0f;
        }
    }

    public static void DivideBySquares(Tensor values, Tensor divisors)
    {
        float* x = (float*)values.Address;
        double squares = VectorMath.SumOfSquares((float*)divisors.Address, divisors.Columns);
        for (int i = 0; i < values.Columns; i++)
        {
            x[i] = (float)(x[i] / squares);
        }
    }

    public static void Average(CpuContext context, Tensor values, float decay, float oneMinusDecay, Tensor average)
    {
        var job = new AverageJob { Values = values, Average = (float*)average.Address, Decay = decay, OneMinusDecay = oneMinusDecay };
        context.Pool.Run(job, Reductions.Blocks(values.Elements));
    }

    public static void LimitGrowth(
        Tensor squares, Tensor weights, bool useLimiter, bool storeOnly, Tensor limiterNorm, Tensor coefficients, Tensor limited)
    {
        float* s = (float*)squares.Address, w = (float*)weights.Address;
        double sum = 0;
        for (int i = 0; i < squares.Columns; i++)
        {
            sum += (double)s[i] * w[i];
        }

        float norm = (float)Math.Sqrt(sum);
        var factors = new Span<float>((float*)coefficients.Address, coefficients.Columns);
        if (!float.IsFinite(norm))
        {
            factors.Clear();
            return;
        }

        if (!useLimiter)
        {
            return;
        }

        float* stored = (float*)limiterNorm.Address;
        float limit = storeOnly || *stored == 0f
            ? 1f
            : MathF.Max(norm / (*stored + ApolloScalars.NormEpsilon), ApolloScalars.LimiterGrowth) / ApolloScalars.LimiterGrowth;
        *stored = norm / limit;
        if (limit > 1f)
        {
            *(long*)limited.Address += 1;
            VectorMath.Multiply((float*)coefficients.Address, 1f / limit, (float*)coefficients.Address, coefficients.Columns);
        }
    }

    private struct RowJob : IJob
    {
        public Tensor Values;
        public float* Factors;
        public int RowsPerTask;

        public readonly void Run(int task, int worker)
        {
            float* buffer = stackalloc float[Chunk];
            int columns = Values.Columns;
            int end = Math.Min((task + 1) * RowsPerTask, Values.Rows);
            for (int row = task * RowsPerTask; row < end; row++)
            {
                for (int column = 0; column < columns; column += Chunk)
                {
                    int count = Math.Min(Chunk, columns - column);
                    long first = (long)row * columns + column;
                    float* x = Elements.Read(Values, first, count, buffer);
                    VectorMath.Multiply(x, Factors[row], x, count);
                    Elements.Write(Values, first, count, x);
                }
            }
        }
    }

    private struct AverageJob : IJob
    {
        public Tensor Values;
        public float* Average;
        public float Decay;
        public float OneMinusDecay;

        public readonly void Run(int task, int worker)
        {
            float* buffer = stackalloc float[Chunk];
            int block = Reductions.BlockElements(Values.Elements);
            long end = Math.Min((task + 1L) * block, Values.Elements);
            for (long first = (long)task * block; first < end; first += Chunk)
            {
                int count = (int)Math.Min(Chunk, end - first);
                float* x = Elements.Read(Values, first, count, buffer);
                for (int i = 0; i < count; i++)
                {
                    float* average = Average + first + i;
                    *average = float.IsFinite(x[i]) ? Decay * *average + OneMinusDecay * x[i] : *average;
                }
            }
        }
    }
}
