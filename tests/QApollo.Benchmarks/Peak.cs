using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using QApollo.Cpu.Threading;

namespace QApollo.Benchmarks;

/// <summary>What the processor can do: multiply-adds between registers, on the pool's threads.</summary>
internal static class Peak
{
    private const int Steps = 200_000;
    private const int Chains = 12;

    /// <summary>Floating-point operations per second of all threads.</summary>
    public static double FlopsPerSecond(int threads)
    {
        using var pool = new WorkerPool(threads);
        double seconds = Stopwatches.Measure(() => pool.Run(default(Job), threads)).Best;
        int lanes = Vector512.IsHardwareAccelerated ? 16 : Vector256.IsHardwareAccelerated ? 8 : 4;
        return 2.0 * lanes * Chains * Steps * threads / seconds;
    }

    private struct Job : IJob
    {
        public readonly void Run(int task, int worker)
        {
            float result = Vector512.IsHardwareAccelerated ? Wide() : Vector256.IsHardwareAccelerated ? Middle() : Narrow();
            if (result == 1)
            {
                throw new InvalidOperationException("cannot happen; keeps the loop alive");
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static float Wide()
        {
            Vector512<float> a = Vector512.Create(0.999f), b = Vector512.Create(1e-6f);
            Vector512<float> x0 = b, x1 = b, x2 = b, x3 = b, x4 = b, x5 = b, x6 = b, x7 = b, x8 = b, x9 = b, xa = b, xb = b;
            for (int i = 0; i < Steps; i++)
            {
                x0 = Vector512.FusedMultiplyAdd(x0, a, b);
                x1 = Vector512.FusedMultiplyAdd(x1, a, b);
                x2 = Vector512.FusedMultiplyAdd(x2, a, b);
                x3 = Vector512.FusedMultiplyAdd(x3, a, b);
                x4 = Vector512.FusedMultiplyAdd(x4, a, b);
                x5 = Vector512.FusedMultiplyAdd(x5, a, b);
                x6 = Vector512.FusedMultiplyAdd(x6, a, b);
                x7 = Vector512.FusedMultiplyAdd(x7, a, b);
                x8 = Vector512.FusedMultiplyAdd(x8, a, b);
                x9 = Vector512.FusedMultiplyAdd(x9, a, b);
                xa = Vector512.FusedMultiplyAdd(xa, a, b);
                xb = Vector512.FusedMultiplyAdd(xb, a, b);
            }

            return Vector512.Sum(x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + xa + xb);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static float Middle()
        {
            Vector256<float> a = Vector256.Create(0.999f), b = Vector256.Create(1e-6f);
            Vector256<float> x0 = b, x1 = b, x2 = b, x3 = b, x4 = b, x5 = b, x6 = b, x7 = b, x8 = b, x9 = b, xa = b, xb = b;
            for (int i = 0; i < Steps; i++)
            {
                x0 = Vector256.MultiplyAddEstimate(x0, a, b);
                x1 = Vector256.MultiplyAddEstimate(x1, a, b);
                x2 = Vector256.MultiplyAddEstimate(x2, a, b);
                x3 = Vector256.MultiplyAddEstimate(x3, a, b);
                x4 = Vector256.MultiplyAddEstimate(x4, a, b);
                x5 = Vector256.MultiplyAddEstimate(x5, a, b);
                x6 = Vector256.MultiplyAddEstimate(x6, a, b);
                x7 = Vector256.MultiplyAddEstimate(x7, a, b);
                x8 = Vector256.MultiplyAddEstimate(x8, a, b);
                x9 = Vector256.MultiplyAddEstimate(x9, a, b);
                xa = Vector256.MultiplyAddEstimate(xa, a, b);
                xb = Vector256.MultiplyAddEstimate(xb, a, b);
            }

            return Vector256.Sum(x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + xa + xb);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static float Narrow()
        {
            Vector128<float> a = Vector128.Create(0.999f), b = Vector128.Create(1e-6f);
            Vector128<float> x0 = b, x1 = b, x2 = b, x3 = b, x4 = b, x5 = b, x6 = b, x7 = b, x8 = b, x9 = b, xa = b, xb = b;
            for (int i = 0; i < Steps; i++)
            {
                x0 = Vector128.MultiplyAddEstimate(x0, a, b);
                x1 = Vector128.MultiplyAddEstimate(x1, a, b);
                x2 = Vector128.MultiplyAddEstimate(x2, a, b);
                x3 = Vector128.MultiplyAddEstimate(x3, a, b);
                x4 = Vector128.MultiplyAddEstimate(x4, a, b);
                x5 = Vector128.MultiplyAddEstimate(x5, a, b);
                x6 = Vector128.MultiplyAddEstimate(x6, a, b);
                x7 = Vector128.MultiplyAddEstimate(x7, a, b);
                x8 = Vector128.MultiplyAddEstimate(x8, a, b);
                x9 = Vector128.MultiplyAddEstimate(x9, a, b);
                xa = Vector128.MultiplyAddEstimate(xa, a, b);
                xb = Vector128.MultiplyAddEstimate(xb, a, b);
            }

            return Vector128.Sum(x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + xa + xb);
        }
    }
}
