using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>Adam's direction with moments in 8 bits (arXiv 2110.02861).</summary>
internal static unsafe class Adam8Bit
{
    private const int Block = 256;

    public static void Direction(
        CpuContext context, Tensor gradient, Tensor moment1, Tensor moment2, Tensor scale1, Tensor scale2,
        in AdamScalars scalars, Tensor gradientSquares)
    {
        int tasks = Reductions.Blocks(gradient.Elements);
        var job = new Job
        {
            Gradient = gradient,
            Moment1 = (byte*)moment1.Address,
            Moment2 = (byte*)moment2.Address,
            Scale1 = (float*)scale1.Address,
            Scale2 = (float*)scale2.Address,
            Scalars = scalars,
            Partials = context.Partials,
        };
        context.Pool.Run(job, tasks);
        Reductions.AddPartials(context, tasks, gradientSquares);
    }

    private struct Job : IJob
    {
        public Tensor Gradient;
        public byte* Moment1;
        public byte* Moment2;
        public float* Scale1;
        public float* Scale2;
        public AdamScalars Scalars;
        public double* Partials;

        public readonly void Run(int task, int worker)
        {
            float* buffer = stackalloc float[Block];
            float* m = stackalloc float[Block];
            float* v = stackalloc float[Block];
            int taskElements = Reductions.BlockElements(Gradient.Elements);
            long end = Math.Min((task + 1L) * taskElements, Gradient.Elements);
            double sum = 0;
            for (long first = (long)task * taskElements; first < end; first += Block)
            {
                int count = (int)Math.Min(Block, end - first);
                long block = first / Block;
                float* gradient = Elements.Read(Gradient, first, count, buffer);
                EightBitCodec.First.Decode(Moment1 + first, Scale1[block], m, count);
                EightBitCodec.Second.Decode(Moment2 + first, Scale2[block], v, count);
                sum += Adam.Update(gradient, m, v, count, Scalars);
                Scale1[block] = EightBitCodec.First.Encode(m, Moment1 + first, count);
                Scale2[block] = EightBitCodec.Second.Encode(v, Moment2 + first, count);
                Elements.Write(Gradient, first, count, gradient);
            }

            Partials[task] = sum;
        }
    }
}
