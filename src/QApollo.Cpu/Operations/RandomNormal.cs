using QApollo.Cpu.Threading;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Cpu.Operations;

/// <summary>Normal random numbers by the Box–Muller transform of a Philox stream.</summary>
internal static unsafe class RandomNormal
{
    private const int ElementsPerTask = 4096;

    public static void Fill(CpuContext context, Tensor destination, in RandomStream stream, long firstElement, float standardDeviation)
    {
        var job = new Job { Destination = destination, Stream = stream, FirstElement = firstElement, Deviation = standardDeviation };
        context.Pool.Run(job, (int)((destination.Elements + ElementsPerTask - 1) / ElementsPerTask));
    }

    private struct Job : IJob
    {
        public Tensor Destination;
        public RandomStream Stream;
        public long FirstElement;
        public float Deviation;

        public readonly void Run(int task, int worker)
        {
            float* block = stackalloc float[4];
            long end = Math.Min((task + 1L) * ElementsPerTask, Destination.Elements);
            for (long first = (long)task * ElementsPerTask; first < end; first += 4)
            {
                var (x0, x1, x2, x3) = Philox.Block(Stream, (ulong)(FirstElement + first) >> 2);
                (block[0], block[1]) = Pair(x0, x1);
                (block[2], block[3]) = Pair(x2, x3);
                int count = (int)Math.Min(4, end - first);
                for (int i = 0; i < count; i++)
                {
                    if (Destination.DType == DType.F32)
                    {
                        ((float*)Destination.Address)[first + i] = block[i];
                    }
                    else
                    {
                        ((ushort*)Destination.Address)[first + i] = BFloat.FromSingle(block[i]);
                    }
                }
            }
        }

        private readonly (float First, float Second) Pair(uint radiusWord, uint angleWord)
        {
            const double Unit = 1.0 / 4294967296.0;
            double radius = Deviation * Math.Sqrt(-2 * Math.Log((radiusWord + 0.5) * Unit));
            (double sine, double cosine) = Math.SinCos(2 * Math.PI * ((angleWord + 0.5) * Unit));
            return ((float)(radius * cosine), (float)(radius * sine));
        }
    }
}
