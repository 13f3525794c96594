using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>Softmax cross-entropy per row of logits.</summary>
internal static unsafe class CrossEntropy
{
    public static void Forward(CpuContext context, Tensor logits, Tensor labels, Tensor logSumExp, Tensor losses)
    {
        var job = new ForwardJob
        {
            Logits = logits,
            Labels = (int*)labels.Address,
            LogSumExp = (float*)logSumExp.Address,
            Losses = (float*)losses.Address,
            RowsPerTask = RowsPerTask(logits),
        };
        context.Pool.Run(job, (logits.Rows + job.RowsPerTask - 1) / job.RowsPerTask);
    }

    public static void Backward(CpuContext context, Tensor logits, Tensor labels, Tensor logSumExp, int firstColumn, float scale)
    {
        var job = new BackwardJob
        {
            Logits = logits,
            Labels = (int*)labels.Address,
            LogSumExp = (float*)logSumExp.Address,
            FirstColumn = firstColumn,
            Scale = scale,
            RowsPerTask = RowsPerTask(logits),
        };
        context.Pool.Run(job, (logits.Rows + job.RowsPerTask - 1) / job.RowsPerTask);
    }

    private static int RowsPerTask(Tensor logits) => Math.Max(1, 8192 / logits.Columns);

    private struct ForwardJob : IJob
    {
        public Tensor Logits;
        public int* Labels;
        public float* LogSumExp;
        public float* Losses;
        public int RowsPerTask;

        public readonly void Run(int task, int worker)
        {
            int end = Math.Min((task + 1) * RowsPerTask, Logits.Rows);
            for (int row = task * RowsPerTask; row < end; row++)
            {
                float* logits = (float*)Logits.Address + (long)row * Logits.Columns;
                float max = Softmax.Max(logits, Logits.Columns);
                double sum = Softmax.SumOfExponentials(logits, Logits.Columns, max);
                float logSumExp = (float)(max + Math.Log(sum));
                LogSumExp[row] = logSumExp;
                Losses[row] = Labels[row] < 0 ? 0f : logSumExp - logits[Labels[row]];
            }
        }
    }

    private struct BackwardJob : IJob
    {
        public Tensor Logits;
        public int* Labels;
        public float* LogSumExp;
        public int FirstColumn;
        public float Scale;
        public int RowsPerTask;

        public readonly void Run(int task, int worker)
        {
            int columns = Logits.Columns;
            int end = Math.Min((task + 1) * RowsPerTask, Logits.Rows);
            for (int row = task * RowsPerTask; row < end; row++)
            {
                float* logits = (float*)Logits.Address + (long)row * columns;
                int label = Labels[row];
                if (label < 0)
                {
                    new Span<float>(logits, columns).Clear();
                    continue;
                }

                Softmax.Probabilities(logits, columns, LogSumExp[row], Scale);
                if (label >= FirstColumn && label - FirstColumn < columns)
                {
                    logits[label - FirstColumn] -= Scale;
                }
            }
        }
    }
}
