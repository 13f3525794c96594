using QApollo.Cpu.Gemm;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>Task: a key/value head of a sequence.</summary>
internal unsafe struct AttentionForwardJob : IJob
{
    public Microkernel Kernel;
    public AttentionShape Shape;
    public float* Query;
    public float* Key;
    public float* Value;
    public float* Output;
    public float* LogSumExp;
    public byte* Workspace;

    public readonly void Run(int task, int worker)
    {
        int batch = task / Shape.KeyValueHeads;
        int group = task % Shape.KeyValueHeads;
        int keys = Shape.KeyLength;
        int features = Shape.HeadDim;
        int width = Kernel.Columns;
        int height = Kernel.Rows;
        var scratch = new AttentionScratch(Shape, Workspace + worker * Attention.ThreadWorkspaceBytes(Shape));
        int scoreStride = scratch.ScoreStride;
        float* scores = scratch.Scores;
        var probabilities = new LeftBlock(scores, scoreStride, 1, height * scoreStride);

        nint firstKey = (nint)batch * keys * Shape.KeyColumns + group * features;
        Attention.PackTransposed(Key + firstKey, Shape.KeyColumns, keys, features, scratch.KeysTransposed, width);
        Attention.Pack(Value + firstKey, Shape.KeyColumns, keys, features, scratch.Values, width);
        float* inverseSums = stackalloc float[AttentionScratch.BlockRows];
        int earlier = keys - Shape.QueryLength;
        for (int head = group * Shape.GroupHeads; head < (group + 1) * Shape.GroupHeads; head++)
        {
            for (int first = 0; first < Shape.QueryLength; first += AttentionScratch.BlockRows)
            {
                int rows = Math.Min(AttentionScratch.BlockRows, Shape.QueryLength - first);
                int seen = earlier + first + rows;
                nint token = (nint)batch * Shape.QueryLength + first;
                nint start = token * Shape.QueryColumns + head * features;
                LeftBlock query = Attention.CopyScaled(
                    Query + start, Shape.QueryColumns, rows, features, Shape.Scale, scratch.QueryCopy, height);
                BlockProduct.Run(
                    Kernel, query, scratch.KeysTransposed, (nint)features * width, rows, seen, features, null, 0, scores, scoreStride);

                float* logSumExp = LogSumExp + (nint)head * Shape.QueryRows + token;
                for (int i = 0; i < rows; i++)
                {
                    float* row = scores + i * scoreStride;
                    int visible = earlier + first + i + 1;
                    float max = Softmax.Max(row, visible);
                    float sum = Softmax.Exponentials(row, visible, max);
                    new Span<float>(row + visible, seen - visible).Clear();
                    logSumExp[i] = max + MathF.Log(sum);
                    inverseSums[i] = 1 / sum;
                }

                BlockProduct.Run(
                    Kernel, probabilities, scratch.Values, (nint)keys * width, rows, features, seen,
                    null, 0, Output + start, Shape.QueryColumns);
                for (int i = 0; i < rows; i++)
                {
                    float* row = Output + start + (nint)i * Shape.QueryColumns;
                    VectorMath.Multiply(row, inverseSums[i], row, features);
                }
            }
        }
    }
}
