using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;

namespace QApollo.Cpu.Gemm;

/// <summary>What the processor can do: multiply-adds between registers, with the widest registers that the products use.</summary>
internal static class MultiplyAddPeak
{
    /// <summary>Independent sums; two units of a latency of 4 or 5 need 10.</summary>
    private const int Chains = 12;

    private const int StepsPerTask = 10_000;

    /// <summary>Short, so that now and then nothing disturbs it; in many tasks, so that a thread that comes late leaves its share to the others.</summary>
    private const int TasksPerThread = 8;

    /// <summary>Runs on all threads of the pool for a fraction of a millisecond; returns floating-point operations.</summary>
    public static double Run(WorkerPool pool)
    {
        int tasks = TasksPerThread * pool.Threads;
        int lanes;
        if (Vector512.IsHardwareAccelerated)
        {
            pool.Run(default(Job<Lanes512>), tasks);
            lanes = Lanes512.Count;
        }
        else
        {
            pool.Run(default(Job<LanesVector>), tasks);
            lanes = LanesVector.Count;
        }

        return 2.0 * lanes * Chains * StepsPerTask * tasks;
    }

    private readonly struct Job<T> : IJob
        where T : struct, ILanes<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run(int task, int worker)
        {
            T a = T.Create(0.999f), b = T.Create(1e-6f);
            T x0 = b, x1 = b, x2 = b, x3 = b, x4 = b, x5 = b, x6 = b, x7 = b, x8 = b, x9 = b, xa = b, xb = b;
            for (int i = 0; i < StepsPerTask; i++)
            {
                x0 = T.MultiplyAdd(x0, a, b);
                x1 = T.MultiplyAdd(x1, a, b);
                x2 = T.MultiplyAdd(x2, a, b);
                x3 = T.MultiplyAdd(x3, a, b);
                x4 = T.MultiplyAdd(x4, a, b);
                x5 = T.MultiplyAdd(x5, a, b);
                x6 = T.MultiplyAdd(x6, a, b);
                x7 = T.MultiplyAdd(x7, a, b);
                x8 = T.MultiplyAdd(x8, a, b);
                x9 = T.MultiplyAdd(x9, a, b);
                xa = T.MultiplyAdd(xa, a, b);
                xb = T.MultiplyAdd(xb, a, b);
            }

            if ((x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + xa + xb).Sum() == 1)
            {
                throw new InvalidOperationException("cannot happen; keeps the loop alive");
            }
        }
    }
}
