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
        int scoreStride = PackedMatrix.Round(length, Microkernel.MaxColumns);
        int paddedFeatures = PackedMatrix.Round(features, Microkernel.MaxColumns);
        float* keysTransposed = (float*)(Workspace + worker * Attention.ThreadWorkspaceBytes(Shape));
        float* valuesTransposed = keysTransposed + (nint)scoreStride * features;
        float* keyPanels = valuesTransposed + (nint)scoreStride * features;
        float* queryPanels = keyPanels + (nint)paddedFeatures * length;
        float* gradientPanels = queryPanels + paddedFeatures * Attention.BlockRows;
        float* scores = gradientPanels + paddedFeatures * Attention.BlockRows;
        float* scoreGradients = scores + Attention.BlockRows * scoreStride;
        float* scratch = scoreGradients + Attention.BlockRows * scoreStride;

        nint firstKey = (nint)batch * length * keyStride + group * features;
        Attention.PackTransposed(Key + firstKey, keyStride, length, features, keysTransposed, width);
        Attention.PackTransposed(Value + firstKey, keyStride, length, features, valuesTransposed, width);
        Attention.Pack(Key + firstKey, keyStride, length, features, keyPanels, width);
        Clear(KeyGradient + firstKey, keyStride, length, features);
        Clear(ValueGradient + firstKey, keyStride, length, features);
        for (int head = group * Shape.GroupHeads; head < (group + 1) * Shape.GroupHeads; head++)
        {
            for (int first = 0; first < length; first += Attention.BlockRows)
            {
                int rows = Math.Min(Attention.BlockRows, length - first);
                int seen = first + rows;
                nint token = (nint)batch * length + first;
                nint start = token * queryStride + head * features;
                float* query = Query + start;
                float* gradient = OutputGradient + start;
                BlockProduct.Run(
                    Kernel, query, queryStride, 1, keysTransposed, (nint)features * width, rows, seen, features,
                    null, 0, scores, scoreStride, scratch);
                BlockProduct.Run(
                    Kernel, gradient, queryStride, 1, valuesTransposed, (nint)features * width, rows, seen, features,
                    null, 0, scoreGradients, scoreStride, scratch);

                nint statistics = (nint)head * Shape.QueryRows + token;
                for (int i = 0; i < rows; i++)
                {
                    float delta = VectorMath.Dot(gradient + i * queryStride, Output + start + i * queryStride, features);
                    Delta[statistics + i] = delta;
                    int visible = first + i + 1;
                    float* score = scores + i * scoreStride;
                    float* scoreGradient = scoreGradients + i * scoreStride;
                    Softmax.Differentiate(score, scoreGradient, visible, Shape.Scale, LogSumExp[statistics + i], delta);
                    new Span<float>(score + visible, seen - visible).Clear();
                    new Span<float>(scoreGradient + visible, seen - visible).Clear();
                }

                Attention.Pack(query, queryStride, rows, features, queryPanels, width);
                Attention.Pack(gradient, queryStride, rows, features, gradientPanels, width);
                AddTransposedProduct(scores, scoreStride, gradientPanels, rows, seen, ValueGradient + firstKey, scratch);
                AddTransposedProduct(scoreGradients, scoreStride, queryPanels, rows, seen, KeyGradient + firstKey, scratch);
                BlockProduct.Run(
                    Kernel, scoreGradients, scoreStride, 1, keyPanels, (nint)length * width, rows, features, seen,
                    null, 0, QueryGradient + start, queryStride, scratch);
            }
        }
    }

    /// <summary>destination[key] += sum over query rows of left[row][key] * right[row].</summary>
    private readonly void AddTransposedProduct(
        float* left, nint leftStride, float* rightPanels, int rows, int keys, float* destination, float* scratch) =>
        BlockProduct.Run(
            Kernel, left, 1, leftStride, rightPanels, (nint)rows * Kernel.Columns, keys, Shape.HeadDim, rows,
            destination, Shape.KeyColumns, destination, Shape.KeyColumns, scratch);

    private static void Clear(float* values, nint stride, int rows, int columns)
    {
        for (int row = 0; row < rows; row++)
        {
            new Span<float>(values + row * stride, columns).Clear();
        }
    }
}
