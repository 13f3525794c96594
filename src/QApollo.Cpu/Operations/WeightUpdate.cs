using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>Rewrites a weight in place: W' = (W - c G) * decay, rounded as the weight is stored.</summary>
internal static unsafe class WeightUpdate
{
    public static void Apply(
        CpuContext context, in WeightMatrix weight, Tensor gradient, Tensor coefficients, ChannelAxis axis, in UpdateScalars scalars,
        Tensor counts)
    {
        int rows = Math.Max(1, 16384 / weight.InFeatures);
        int tasks = (weight.OutFeatures + rows - 1) / rows;
        if (weight.IsQuantized)
        {
            var job = new GroupUpdateJob
            {
                Weight = weight,
                Gradient = gradient,
                Coefficients = (float*)coefficients.Address,
                Axis = axis,
                Scalars = scalars,
                Counts = (long*)counts.Address,
                RowsPerTask = rows,
            };
            context.Pool.Run(job, tasks);
        }
        else
        {
            var job = new DenseUpdateJob
            {
                Weight = weight.Values,
                Gradient = gradient,
                Coefficients = (float*)coefficients.Address,
                Axis = axis,
                Scalars = scalars,
                Changed = (long*)counts.Address + (int)UpdateCount.Changed,
                RowsPerTask = rows,
            };
            context.Pool.Run(job, tasks);
        }
    }
}
