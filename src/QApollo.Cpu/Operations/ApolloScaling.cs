using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>Moments of the projected gradient, scaling factors and the norm-growth limiter (arXiv 2412.05270, algorithm 1).</summary>
internal static unsafe class ApolloScaling
{
    public static void Scale(
        CpuContext context, Tensor projected, Tensor channelSquares, ChannelAxis axis, in ApolloScalars scalars,
        Tensor moment1, Tensor moment2, Tensor limiterNorm, Tensor coefficients, Tensor gradientSquares, Tensor limited)
    {
        int channels = (int)channelSquares.Elements;
        float* squares = (float*)channelSquares.Address;
        double gradientSum = VectorMath.Sum(squares, channels);
        float* total = (float*)gradientSquares.Address;
        *total = (float)(*total + gradientSum);
        var factors = new Span<float>((float*)coefficients.Address, scalars.TensorWise ? 1 : channels);
        if (!float.IsFinite((float)gradientSum))
        {
            factors.Clear();
            return;
        }

        int rank = (int)(projected.Elements / channels);
        int perTask = Math.Max(Math.Max(1, 4096 / rank), (channels + CpuContext.MaxPartials / 2 - 1) / (CpuContext.MaxPartials / 2));
        int tasks = (channels + perTask - 1) / perTask;
        var job = new MomentJob
        {
            Projected = (float*)projected.Address,
            Moment1 = (float*)moment1.Address,
            Moment2 = (float*)moment2.Address,
            Squares = squares,
            Coefficients = scalars.TensorWise ? null : (float*)coefficients.Address,
            Scalars = scalars,
            Channels = channels,
            ChannelsPerTask = perTask,
            Rank = rank,
            Partials = context.Partials,
            ChannelStride = axis == ChannelAxis.Rows ? rank : 1,
            RankStride = axis == ChannelAxis.Rows ? 1 : channels,
        };
        context.Pool.Run(job, tasks);

        double first = 0, second = 0;
        for (int i = 0; i < tasks; i++)
        {
            first += context.Partials[2 * i];
            second += context.Partials[2 * i + 1];
        }

        double norm;
        if (scalars.TensorWise)
        {
            factors[0] = (float)(Math.Sqrt(first) / (Math.Sqrt(second) + ApolloScalars.NormEpsilon));
            norm = factors[0] * Math.Sqrt(gradientSum);
        }
        else
        {
            norm = Math.Sqrt(first);
        }

        float limit = Limit((float)(scalars.ScaleFront ? norm * scalars.ScaleRoot : norm), scalars, (float*)limiterNorm.Address);
        *(long*)limited.Address += limit > 1f ? 1 : 0;
        float step = scalars.StepSize * scalars.ScaleRoot / limit;
        for (int i = 0; i < factors.Length; i++)
        {
            factors[i] *= step;
        }
    }

    /// <summary>By what the update is divided; rewrites the stored norm.</summary>
    private static float Limit(float norm, in ApolloScalars scalars, float* stored)
    {
        if (!scalars.UseLimiter)
        {
            return 1f;
        }

        bool storeOnly = scalars.StoreOnly || (*stored == 0f && !scalars.KeepZeroNorm);
        float limit = storeOnly
            ? 1f
            : MathF.Max(norm / (*stored + ApolloScalars.NormEpsilon), ApolloScalars.LimiterGrowth) / ApolloScalars.LimiterGrowth;
        *stored = norm / limit;
        return limit;
    }

    /// <summary>
    /// Task: some channels. Leaves two partial sums: |D|² and |R|² for a factor of the whole matrix; or, where each channel
    /// has its own factor s, the sum of s² |G|² of the channels.
    /// </summary>
    private struct MomentJob : IJob
    {
        public float* Projected;
        public float* Moment1;
        public float* Moment2;
        public float* Squares;
        public float* Coefficients;
        public ApolloScalars Scalars;
        public int Channels;
        public int ChannelsPerTask;
        public int Rank;
        public nint ChannelStride;
        public nint RankStride;
        public double* Partials;

        public readonly void Run(int task, int worker)
        {
            AdamScalars adam = Scalars.Adam;
            bool inDirection = adam.BiasCorrection == BiasCorrection.Direction;
            float numerator = inDirection ? adam.Correction2 / adam.Correction1 : 1f;
            float epsilon = inDirection ? adam.Epsilon * adam.Correction2 : adam.Epsilon;
            double first = 0, second = 0;
            int end = Math.Min((task + 1) * ChannelsPerTask, Channels);
            for (int channel = task * ChannelsPerTask; channel < end; channel++)
            {
                double directionSquares = 0, projectedSquares = 0;
                for (int k = 0; k < Rank; k++)
                {
                    nint i = channel * ChannelStride + k * RankStride;
                    float r = Projected[i];
                    float m = adam.Beta1 * Moment1[i] + adam.OneMinusBeta1 * r;
                    float v = adam.Beta2 * Moment2[i] + adam.OneMinusBeta2 * r * r;
                    Moment1[i] = m;
                    Moment2[i] = v;
                    double d = numerator * m / (MathF.Sqrt(v) + epsilon);
                    directionSquares += d * d;
                    projectedSquares += (double)r * r;
                }

                if (Coefficients == null)
                {
                    first += directionSquares;
                    second += projectedSquares;
                }
                else
                {
                    float factor = (float)(Math.Sqrt(directionSquares) / (Math.Sqrt(projectedSquares) + ApolloScalars.NormEpsilon));
                    Coefficients[channel] = factor;
                    first += (double)factor * factor * Squares[channel];
                }
            }

            Partials[2 * task] = first;
            Partials[2 * task + 1] = second;
        }
    }
}
