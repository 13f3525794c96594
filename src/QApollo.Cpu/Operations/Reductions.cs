using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>Sums over a tensor: fixed blocks in binary64, added in order, whatever the number of threads.</summary>
internal static unsafe class Reductions
{
    /// <summary>Elements per partial sum, a multiple of 1024.</summary>
    public static int BlockElements(long elements)
    {
        long needed = (elements + CpuContext.MaxPartials - 1) / CpuContext.MaxPartials;
        return (int)Math.Max(16384, (needed + 1023) / 1024 * 1024);
    }

    public static int Blocks(long elements)
    {
        int block = BlockElements(elements);
        return (int)((elements + block - 1) / block);
    }

    /// <summary>total += partial sums, in binary64.</summary>
    public static void AddPartials(CpuContext context, int count, Tensor total)
    {
        double sum = 0;
        for (int i = 0; i < count; i++)
        {
            sum += context.Partials[i];
        }

        *(float*)total.Address = (float)(*(float*)total.Address + sum);
    }

    public static void AccumulateSum(CpuContext context, Tensor values, Tensor total)
    {
        int blocks = Blocks(values.Elements);
        context.Pool.Run(new SumJob { Values = values, Partials = context.Partials }, blocks);
        AddPartials(context, blocks, total);
    }

    public static void AccumulateSumOfSquares(CpuContext context, Tensor values, Tensor total)
    {
        int blocks = Blocks(values.Elements);
        context.Pool.Run(new SquaresJob { Values = values, Partials = context.Partials }, blocks);
        AddPartials(context, blocks, total);
    }

    private struct SumJob : IJob
    {
        public Tensor Values;
        public double* Partials;

        public readonly void Run(int task, int worker)
        {
            int block = BlockElements(Values.Elements);
            long first = (long)task * block;
            Partials[task] = VectorMath.Sum((float*)Values.Address + first, Math.Min(block, Values.Elements - first));
        }
    }

    private struct SquaresJob : IJob
    {
        private const int Chunk = 1024;

        public Tensor Values;
        public double* Partials;

        public readonly void Run(int task, int worker)
        {
            float* buffer = stackalloc float[Chunk];
            int block = BlockElements(Values.Elements);
            long end = Math.Min((task + 1L) * block, Values.Elements);
            double sum = 0;
            for (long first = (long)task * block; first < end; first += Chunk)
            {
                int count = (int)Math.Min(Chunk, end - first);
                float* values = Elements.Read(Values, first, count, buffer);
                sum += VectorMath.Dot(values, values, count);
            }

            Partials[task] = sum;
        }
    }
}
