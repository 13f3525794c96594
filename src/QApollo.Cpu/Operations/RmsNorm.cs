using System.Numerics;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>Root-mean-square normalization (arXiv 1910.07467).</summary>
internal static unsafe class RmsNorm
{
    /// <summary>Pieces into which the rows are cut for the weight gradient, each summed by itself; fixed for determinism.</summary>
    private const int MaxParts = 64;

    public static long WorkspaceBytes(int hiddenSize) => (long)MaxParts * hiddenSize * sizeof(float);

    public static void Forward(CpuContext context, Tensor input, Tensor weight, float epsilon, Tensor output, Tensor inverseRms)
    {
        int rows = Math.Max(1, 8192 / input.Columns);
        var job = new ForwardJob
        {
            Input = (float*)input.Address,
            Weight = (float*)weight.Address,
            Epsilon = epsilon,
            Output = (float*)output.Address,
            InverseRms = (float*)inverseRms.Address,
            Rows = input.Rows,
            Columns = input.Columns,
            RowsPerTask = rows,
        };
        context.Pool.Run(job, (input.Rows + rows - 1) / rows);
    }

    public static void Backward(
        CpuContext context, Tensor outputGradient, Tensor input, Tensor weight, Tensor inverseRms,
        Tensor inputGradient, bool accumulateInput, Tensor weightGradient, bool accumulateWeight)
    {
        int rows = Math.Max(8, (input.Rows + MaxParts - 1) / MaxParts);
        int parts = (input.Rows + rows - 1) / rows;
        float* sums = (float*)context.Workspace.Address;
        var job = new BackwardJob
        {
            OutputGradient = (float*)outputGradient.Address,
            Input = (float*)input.Address,
            Weight = (float*)weight.Address,
            InverseRms = (float*)inverseRms.Address,
            InputGradient = (float*)inputGradient.Address,
            Accumulate = accumulateInput,
            Sums = sums,
            Rows = input.Rows,
            Columns = input.Columns,
            RowsPerTask = rows,
        };
        context.Pool.Run(job, parts);

        float* total = (float*)weightGradient.Address;
        if (!accumulateWeight)
        {
            new Span<float>(total, input.Columns).Clear();
        }

        for (int part = 0; part < parts; part++)
        {
            VectorMath.AddScaled(total, 1f, sums + (long)part * input.Columns, input.Columns);
        }
    }

    private struct ForwardJob : IJob
    {
        public float* Input;
        public float* Weight;
        public float Epsilon;
        public float* Output;
        public float* InverseRms;
        public int Rows;
        public int Columns;
        public int RowsPerTask;

        public readonly void Run(int task, int worker)
        {
            int end = Math.Min((task + 1) * RowsPerTask, Rows);
            for (int row = task * RowsPerTask; row < end; row++)
            {
                float* x = Input + (long)row * Columns;
                float* y = Output + (long)row * Columns;
                double meanSquare = VectorMath.SumOfSquares(x, Columns) / Columns;
                float r = (float)(1 / Math.Sqrt(meanSquare + Epsilon));
                InverseRms[row] = r;
                int width = Vector<float>.Count;
                Vector<float> factor = Vector.Create(r);
                int i = 0;
                for (; i <= Columns - width; i += width)
                {
                    (Vector.Load(x + i) * factor * Vector.Load(Weight + i)).Store(y + i);
                }

                for (; i < Columns; i++)
                {
                    y[i] = x[i] * r * Weight[i];
                }
            }
        }
    }

    private struct BackwardJob : IJob
    {
        public float* OutputGradient;
        public float* Input;
        public float* Weight;
        public float* InverseRms;
        public float* InputGradient;
        public bool Accumulate;
        public float* Sums;
        public int Rows;
        public int Columns;
        public int RowsPerTask;

        public readonly void Run(int task, int worker)
        {
            float* sums = Sums + (long)task * Columns;
            new Span<float>(sums, Columns).Clear();
            int end = Math.Min((task + 1) * RowsPerTask, Rows);
            for (int row = task * RowsPerTask; row < end; row++)
            {
                long start = (long)row * Columns;
                float* dy = OutputGradient + start;
                float* x = Input + start;
                float* dx = InputGradient + start;
                float r = InverseRms[row];
                float slope = r * r * r * Product(dy, x) / Columns;
                if (Accumulate)
                {
                    Row<Adding>(dy, x, dx, sums, r, slope);
                }
                else
                {
                    Row<Setting>(dy, x, dx, sums, r, slope);
                }
            }
        }

        /// <summary>Sum of dy * weight * x.</summary>
        private readonly float Product(float* dy, float* x)
        {
            int width = Vector<float>.Count;
            Vector<float> s0 = Vector<float>.Zero, s1 = s0;
            int i = 0;
            for (; i <= Columns - 2 * width; i += 2 * width)
            {
                s0 = VectorMath.MultiplyAdd(Vector.Load(dy + i) * Vector.Load(Weight + i), Vector.Load(x + i), s0);
                s1 = VectorMath.MultiplyAdd(
                    Vector.Load(dy + i + width) * Vector.Load(Weight + i + width), Vector.Load(x + i + width), s1);
            }

            float sum = Vector.Sum(s0 + s1);
            for (; i < Columns; i++)
            {
                sum += dy[i] * Weight[i] * x[i];
            }

            return sum;
        }

        /// <summary>dx (+)= r dy weight - slope x; sums += r dy x.</summary>
        private readonly void Row<TMode>(float* dy, float* x, float* dx, float* sums, float r, float slope)
            where TMode : IMode
        {
            int width = Vector<float>.Count;
            Vector<float> rs = Vector.Create(r);
            Vector<float> slopes = Vector.Create(-slope);
            int i = 0;
            for (; i <= Columns - width; i += width)
            {
                Vector<float> g = Vector.Load(dy + i) * rs;
                Vector<float> input = Vector.Load(x + i);
                VectorMath.MultiplyAdd(g, input, Vector.Load(sums + i)).Store(sums + i);
                Vector<float> result = VectorMath.MultiplyAdd(g, Vector.Load(Weight + i), slopes * input);
                (TMode.Adds ? Vector.Load(dx + i) + result : result).Store(dx + i);
            }

            for (; i < Columns; i++)
            {
                float g = dy[i] * r;
                sums[i] += g * x[i];
                float result = g * Weight[i] - slope * x[i];
                dx[i] = TMode.Adds ? dx[i] + result : result;
            }
        }

        private interface IMode
        {
            static abstract bool Adds { get; }
        }

        private readonly struct Adding : IMode
        {
            public static bool Adds => true;
        }

        private readonly struct Setting : IMode
        {
            public static bool Adds => false;
        }
    }
}
