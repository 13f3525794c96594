using System.Numerics;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Cpu.Operations;

/// <summary>Normal random numbers by the Box–Muller transform of a Philox stream, computed in binary64.</summary>
internal static unsafe class RandomNormal
{
    private const int Chunk = 512;
    private const int ChunksPerTask = 16;

    public static void Fill(CpuContext context, Tensor destination, in RandomStream stream, long firstElement, float standardDeviation)
    {
        var job = new Job { Destination = destination, Stream = stream, FirstElement = firstElement, Deviation = standardDeviation };
        const int PerTask = Chunk * ChunksPerTask;
        context.Pool.Run(job, (int)((destination.Elements + PerTask - 1) / PerTask));
    }

    private struct Job : IJob
    {
        public Tensor Destination;
        public RandomStream Stream;
        public long FirstElement;
        public float Deviation;

        public readonly void Run(int task, int worker)
        {
            uint* words = stackalloc uint[Chunk + PhiloxWords.Slack];
            double* first = stackalloc double[Chunk / 2];
            double* second = stackalloc double[Chunk / 2];
            float* values = stackalloc float[Chunk];
            long end = Math.Min((task + 1L) * Chunk * ChunksPerTask, Destination.Elements);
            for (long start = (long)task * Chunk * ChunksPerTask; start < end; start += Chunk)
            {
                uint* drawn = PhiloxWords.Fill(Stream, (ulong)(FirstElement + start), Chunk, words);
                const double Unit = 1.0 / 4294967296.0;
                for (int i = 0; i < Chunk / 2; i++)
                {
                    first[i] = (drawn[2 * i] + 0.5) * Unit;
                    second[i] = (drawn[2 * i + 1] + 0.5) * (2 * Math.PI * Unit);
                }

                Transform(first, second, Deviation);
                for (int i = 0; i < Chunk / 2; i++)
                {
                    values[2 * i] = (float)first[i];
                    values[2 * i + 1] = (float)second[i];
                }

                int count = (int)Math.Min(Chunk, end - start);
                if (Destination.DType == DType.F32)
                {
                    new ReadOnlySpan<float>(values, count).CopyTo(new Span<float>((float*)Destination.Address + start, count));
                }
                else
                {
                    Elements.ToBFloat(values, (ushort*)Destination.Address + start, count);
                }
            }
        }

        /// <summary>In place: (u, angle) become deviation * sqrt(-2 ln u) * (cos angle, sin angle).</summary>
        private static void Transform(double* first, double* second, double deviation)
        {
            Vector<double> deviations = Vector.Create(deviation);
            for (int i = 0; i < Chunk / 2; i += Vector<double>.Count)
            {
                Vector<double> radius = deviations * Vector.SquareRoot(Vector.Log(Vector.Load(first + i)) * -2);
                (Vector<double> sine, Vector<double> cosine) = Vector.SinCos(Vector.Load(second + i));
                (radius * cosine).Store(first + i);
                (radius * sine).Store(second + i);
            }
        }
    }
}
