using QApollo.Cpu.Gemm;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>Task: a key/value head of a sequence. The gradients of its keys and values are summed over heads and blocks in order.</summary>
internal unsafe struct AttentionBackwardJob : IJob
{
    public Microkernel Kernel;
    public AttentionShape Shape;
    public float* Query;
    public float* Key;
    public float* Value;
    public float* Output;
    public float* LogSumExp;
    public float* OutputGradient;
    public float* Delta;
    public float* QueryGradient;
    public float* KeyGradient;
    public float* ValueGradient;
    public byte* Workspace;

    public readonly void Run(int task, int worker)
    {
        int batch = task / Shape.KeyValueHeads;
        int group = task % Shape.KeyValueHeads;
        int length = Shape.KeyLength;
        int features = Shape.HeadDim;
        int width = Kernel.Columns;
        nint queryStride = Shape.QueryColumns;
        nint keyStride = Shape.KeyColumns;
        int height = Kernel.Rows;
        var scratch = new AttentionScratch(Shape, Workspace + worker * Attention.ThreadWorkspaceBytes(Shape));
        int scoreStride = scratch.ScoreStride;
        float* scores = scratch.Scores;
        float* scoreGradients = scratch.ScoreGradients;

        nint firstKey = (nint)batch * length * keyStride + group * features;
        Attention.PackTransposed(Key + firstKey, keyStride, length, features, scratch.KeysTransposed, width);
        Attention.PackTransposed(Value + firstKey, keyStride, length, features, scratch.ValuesTransposed, width);
        Attention.Pack(Key + firstKey, keyStride, length, features, scratch.Keys, width);
        Clear(KeyGradient + firstKey, keyStride, length, features);
        Clear(ValueGradient + firstKey, keyStride, length, features);
        for (int head = group * Shape.GroupHeads; head < (group + 1) * Shape.GroupHeads; head++)
        {
            for (int first = 0; first < length; first += AttentionScratch.BlockRows)
            {
                int rows = Math.Min(AttentionScratch.BlockRows, length - first);
                int seen = first + rows;
                nint token = (nint)batch * length + first;
                nint start = token * queryStride + head * features;
                float* gradient = OutputGradient + start;
                LeftBlock queryBlock = Attention.CopyScaled(Query + start, queryStride, rows, features, Shape.Scale, scratch.QueryCopy, height);
                LeftBlock gradientBlock = Attention.CopyScaled(gradient, queryStride, rows, features, 1f, scratch.GradientCopy, height);
                BlockProduct.Run(
                    Kernel, queryBlock, scratch.KeysTransposed, (nint)features * width, rows, seen, features, null, 0, scores, scoreStride);
                BlockProduct.Run(
                    Kernel, gradientBlock, scratch.ValuesTransposed, (nint)features * width, rows, seen, features,
                    null, 0, scoreGradients, scoreStride);

                nint statistics = (nint)head * Shape.QueryRows + token;
                for (int i = 0; i < rows; i++)
                {
                    float delta = VectorMath.Dot(gradient + i * queryStride, Output + start + i * queryStride, features);
                    Delta[statistics + i] = delta;
                    int visible = first + i + 1;
                    float* score = scores + i * scoreStride;
                    float* scoreGradient = scoreGradients + i * scoreStride;
                    Softmax.Differentiate(score, scoreGradient, visible, LogSumExp[statistics + i], delta);
                    new Span<float>(score + visible, seen - visible).Clear();
                    new Span<float>(scoreGradient + visible, seen - visible).Clear();
                }

                Attention.Pack(scratch.QueryCopy, features, rows, features, scratch.Queries, width);
                Attention.Pack(scratch.GradientCopy, features, rows, features, scratch.Gradients, width);
                AddTransposedProduct(scores, scoreStride, scratch.Gradients, rows, seen, ValueGradient + firstKey);
                AddTransposedProduct(scoreGradients, scoreStride, scratch.Queries, rows, seen, KeyGradient + firstKey);
                BlockProduct.Run(
                    Kernel, new LeftBlock(scoreGradients, scoreStride, 1, height * scoreStride), scratch.Keys, (nint)length * width,
                    rows, features, seen, null, 0, QueryGradient + start, queryStride);
                for (int i = 0; i < rows; i++)
                {
                    float* row = QueryGradient + start + i * queryStride;
                    VectorMath.Multiply(row, Shape.Scale, row, features);
                }
            }
        }
    }

    /// <summary>destination[key] += sum over query rows of left[row][key] * right[row].</summary>
    private readonly void AddTransposedProduct(
        float* left, nint leftStride, float* rightPanels, int rows, int keys, float* destination) =>
        BlockProduct.Run(
            Kernel, new LeftBlock(left, 1, leftStride, Kernel.Rows), rightPanels, (nint)rows * Kernel.Columns, keys, Shape.HeadDim, rows,
            destination, Shape.KeyColumns, destination, Shape.KeyColumns);

    private static void Clear(float* values, nint stride, int rows, int columns)
    {
        for (int row = 0; row < rows; row++)
        {
            new Span<float>(values + row * stride, columns).Clear();
        }
    }
}
