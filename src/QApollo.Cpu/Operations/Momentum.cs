using System.Numerics;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>Exponential mean of gradients, which takes their place.</summary>
internal static unsafe class Momentum
{
    private const int Chunk = 1024;
    private const int ElementsPerTask = 16 * Chunk;

    public static void Update(CpuContext context, Tensor gradient, Tensor moment, float beta)
    {
        long tasks = (gradient.Elements + ElementsPerTask - 1) / ElementsPerTask;
        context.Pool.Run(new Job { Gradient = gradient, Moment = (float*)moment.Address, Beta = beta }, checked((int)tasks));
    }

    private struct Job : IJob
    {
        public Tensor Gradient;
        public float* Moment;
        public float Beta;

        public readonly void Run(int task, int worker)
        {
            float* buffer = stackalloc float[Chunk];
            long end = Math.Min((task + 1L) * ElementsPerTask, Gradient.Elements);
            for (long first = (long)task * ElementsPerTask; first < end; first += Chunk)
            {
                int count = (int)Math.Min(Chunk, end - first);
                float* g = Elements.Read(Gradient, first, count, buffer);
                Update(g, Moment + first, buffer, count);
                Elements.Write(Gradient, first, count, buffer);
            }
        }

        private readonly void Update(float* gradient, float* moment, float* result, int count)
        {
            int width = Vector<float>.Count, i = 0;
            for (; i <= count - width; i += width)
            {
                Vector<float> g = Vector.Load(gradient + i), m = Vector.Load(moment + i);
                Vector<int> finite = Vector.LessThan(Vector.Abs(g), Vector.Create(float.PositiveInfinity));
                m = Vector.ConditionalSelect(finite, (m * Beta) + (g * (1 - Beta)), m);
                m.Store(moment + i);
                Vector.ConditionalSelect(finite, m, Vector<float>.Zero).Store(result + i);
            }

            for (; i < count; i++)
            {
                bool isFinite = float.IsFinite(gradient[i]);
                moment[i] = isFinite ? (moment[i] * Beta) + (gradient[i] * (1 - Beta)) : moment[i];
                result[i] = isFinite ? moment[i] : 0;
            }
        }
    }
}
