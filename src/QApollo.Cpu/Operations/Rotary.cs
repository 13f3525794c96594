using System.Numerics;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>Rotary position embedding, rotate-half convention (arXiv 2104.09864).</summary>
internal static unsafe class Rotary
{
    public static void Rotate(
        CpuContext context, Tensor values, Tensor cosine, Tensor sine, int sequenceLength, int firstPosition, bool inverse,
        Tensor documentStarts)
    {
        int rows = Math.Max(1, 8192 / values.Columns);
        var job = new Job
        {
            Values = values,
            Cosine = cosine,
            Sine = (float*)sine.Address,
            SequenceLength = sequenceLength,
            FirstPosition = firstPosition,
            Sign = inverse ? -1f : 1f,
            DocumentStarts = (int*)documentStarts.Address,
            RowsPerTask = rows,
        };
        context.Pool.Run(job, (values.Rows + rows - 1) / rows);
    }

    private struct Job : IJob
    {
        public Tensor Values;
        public Tensor Cosine;
        public float* Sine;
        public int SequenceLength;
        public int FirstPosition;
        public float Sign;
        public int* DocumentStarts;
        public int RowsPerTask;

        public readonly void Run(int task, int worker)
        {
            int half = Cosine.Columns;
            int end = Math.Min((task + 1) * RowsPerTask, Values.Rows);
            for (int row = task * RowsPerTask; row < end; row++)
            {
                long position = FirstPosition + row % SequenceLength - (DocumentStarts == null ? 0 : DocumentStarts[row]);
                float* cosine = (float*)Cosine.Address + position * half;
                float* sine = Sine + position * half;
                float* head = (float*)Values.Address + (long)row * Values.Columns;
                for (int column = 0; column < Values.Columns; column += 2 * half)
                {
                    RotateHead(head + column, head + column + half, cosine, sine, half);
                }
            }
        }

        private readonly void RotateHead(float* first, float* second, float* cosine, float* sine, int half)
        {
            int width = Vector<float>.Count;
            Vector<float> sign = Vector.Create(Sign);
            int i = 0;
            for (; i <= half - width; i += width)
            {
                Vector<float> c = Vector.Load(cosine + i);
                Vector<float> s = Vector.Load(sine + i) * sign;
                Vector<float> x1 = Vector.Load(first + i);
                Vector<float> x2 = Vector.Load(second + i);
                VectorMath.MultiplyAdd(x1, c, -(x2 * s)).Store(first + i);
                VectorMath.MultiplyAdd(x2, c, x1 * s).Store(second + i);
            }

            for (; i < half; i++)
            {
                float s = sine[i] * Sign;
                (first[i], second[i]) = (first[i] * cosine[i] - second[i] * s, second[i] * cosine[i] + first[i] * s);
            }
        }
    }
}
