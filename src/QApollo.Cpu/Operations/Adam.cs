using System.Numerics;
using System.Runtime.CompilerServices;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>Adam's direction with binary32 moments.</summary>
internal static unsafe class Adam
{
    public static void Direction(
        CpuContext context, Tensor gradient, Tensor moment1, Tensor moment2, in AdamScalars scalars, Tensor gradientSquares)
    {
        int blocks = Reductions.Blocks(gradient.Elements);
        var job = new Job
        {
            Gradient = gradient,
            Moment1 = (float*)moment1.Address,
            Moment2 = (float*)moment2.Address,
            Scalars = scalars,
            Partials = context.Partials,
        };
        context.Pool.Run(job, blocks);
        Reductions.AddPartials(context, blocks, gradientSquares);
    }

    /// <summary>In place: gradients become directions; returns the sum of the squared gradients.</summary>
    public static double Update(float* gradient, float* moment1, float* moment2, int count, in AdamScalars scalars)
    {
        double sum = VectorMath.Dot(gradient, gradient, count);
        int width = Vector<float>.Count;
        int i = 0;
        for (; i <= count - width; i += width)
        {
            Vector<float> m = Vector.Load(moment1 + i);
            Vector<float> v = Vector.Load(moment2 + i);
            Update(Vector.Load(gradient + i), ref m, ref v, scalars).Store(gradient + i);
            m.Store(moment1 + i);
            v.Store(moment2 + i);
        }

        for (; i < count; i++)
        {
            Vector<float> m = Vector.Create(moment1[i]);
            Vector<float> v = Vector.Create(moment2[i]);
            gradient[i] = Update(Vector.Create(gradient[i]), ref m, ref v, scalars)[0];
            moment1[i] = m[0];
            moment2[i] = v[0];
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> Update(Vector<float> g, ref Vector<float> m, ref Vector<float> v, in AdamScalars scalars)
    {
        bool inDirection = scalars.BiasCorrection == BiasCorrection.Direction;
        float numerator = inDirection ? scalars.Correction2 / scalars.Correction1 : 1f;
        float epsilon = inDirection ? scalars.Epsilon * scalars.Correction2 : scalars.Epsilon;
        Vector<int> finite = Vector.LessThan(Vector.Abs(g), Vector.Create(float.PositiveInfinity));
        Vector<float> newM = VectorMath.MultiplyAdd(Vector.Create(scalars.Beta1), m, Vector.Create(scalars.OneMinusBeta1) * g);
        Vector<float> newV = VectorMath.MultiplyAdd(Vector.Create(scalars.Beta2), v, Vector.Create(scalars.OneMinusBeta2) * g * g);
        m = Vector.ConditionalSelect(finite, newM, m);
        v = Vector.ConditionalSelect(finite, newV, v);
        Vector<float> direction = Vector.Create(numerator) * newM / (Vector.SquareRoot(newV) + Vector.Create(epsilon));
        return Vector.ConditionalSelect(finite, direction, Vector<float>.Zero);
    }

    private struct Job : IJob
    {
        private const int Chunk = 1024;

        public Tensor Gradient;
        public float* Moment1;
        public float* Moment2;
        public AdamScalars Scalars;
        public double* Partials;

        public readonly void Run(int task, int worker)
        {
            float* buffer = stackalloc float[Chunk];
            int block = Reductions.BlockElements(Gradient.Elements);
            long end = Math.Min((task + 1L) * block, Gradient.Elements);
            double sum = 0;
            for (long first = (long)task * block; first < end; first += Chunk)
            {
                int count = (int)Math.Min(Chunk, end - first);
                float* gradient = Elements.Read(Gradient, first, count, buffer);
                sum += Update(gradient, Moment1 + first, Moment2 + first, count, Scalars);
                Elements.Write(Gradient, first, count, gradient);
            }

            Partials[task] = sum;
        }
    }
}
