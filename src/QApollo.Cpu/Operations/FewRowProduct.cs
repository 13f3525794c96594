using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>
/// output = input Wᵀ (+ addend) for a few tokens: the weight is read once, as it is stored; rearranging it would cost more
/// than the product.
/// </summary>
internal static unsafe class FewRowProduct
{
    public const int MaxRows = 8;

    private const int FeaturesPerTask = 32;

    public static void Run(CpuContext context, Tensor input, in WeightMatrix weight, Tensor output, Tensor addend)
    {
        var job = new Job
        {
            Input = (float*)input.Address,
            Weight = weight,
            Output = (float*)output.Address,
            Addend = (float*)addend.Address,
            Rows = input.Rows,
        };
        context.Pool.Run(job, (weight.OutFeatures + FeaturesPerTask - 1) / FeaturesPerTask);
    }

    /// <summary>Task: some output features.</summary>
    private struct Job : IJob
    {
        private const int Chunk = 1024;

        public float* Input;
        public WeightMatrix Weight;
        public float* Output;
        public float* Addend;
        public int Rows;

        public readonly void Run(int task, int worker)
        {
            float* buffer = stackalloc float[Chunk];
            float* sums = stackalloc float[MaxRows];
            int depth = Weight.InFeatures;
            int end = Math.Min((task + 1) * FeaturesPerTask, Weight.OutFeatures);
            for (int feature = task * FeaturesPerTask; feature < end; feature++)
            {
                for (int row = 0; row < Rows; row++)
                {
                    sums[row] = Addend == null ? 0 : Addend[(long)row * Weight.OutFeatures + feature];
                }

                for (int first = 0; first < depth; first += Chunk)
                {
                    int count = Math.Min(Chunk, depth - first);
                    float* values = WeightRows.Read(Weight, feature, first, count, buffer);
                    for (int row = 0; row < Rows; row++)
                    {
                        sums[row] += VectorMath.Dot(values, Input + (long)row * depth + first, count);
                    }
                }

                for (int row = 0; row < Rows; row++)
                {
                    Output[(long)row * Weight.OutFeatures + feature] = sums[row];
                }
            }
        }
    }
}
