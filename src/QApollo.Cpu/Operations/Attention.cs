using QApollo.Cpu.Gemm;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>
/// Causal attention. A task is a key/value head of a sequence: its keys and values are packed once, then blocks of
/// query rows of all heads that share them pass by. Keys that no row of a block sees are never computed.
/// </summary>
internal static unsafe class Attention
{
    /// <summary>Query rows per block: a multiple of every kernel's tile.</summary>
    public const int BlockRows = 48;

    public static long ThreadWorkspaceBytes(in AttentionShape shape)
    {
        long keys = PackedMatrix.Round(shape.KeyLength, Microkernel.MaxColumns);
        long features = PackedMatrix.Round(shape.HeadDim, Microkernel.MaxColumns);
        long elements = 3 * keys * features + 2 * BlockRows * keys + 2 * BlockRows * features;
        return (elements * sizeof(float) + BlockProduct.ScratchBytes + 255) / 256 * 256;
    }

    public static void Forward(
        CpuContext context, Tensor query, Tensor key, Tensor value, in AttentionShape shape, Tensor output, Tensor logSumExp)
    {
        var job = new AttentionForwardJob
        {
            Kernel = context.Kernel, Shape = shape, Query = (float*)query.Address, Key = (float*)key.Address,
            Value = (float*)value.Address, Output = (float*)output.Address, LogSumExp = (float*)logSumExp.Address,
            Workspace = (byte*)context.Workspace.Address,
        };
        context.Pool.Run(job, shape.Batch * shape.KeyValueHeads);
    }

    public static void Backward(
        CpuContext context, Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor outputGradient,
        in AttentionShape shape, Tensor delta, Tensor queryGradient, Tensor keyGradient, Tensor valueGradient)
    {
        var job = new AttentionBackwardJob
        {
            Kernel = context.Kernel, Shape = shape, Query = (float*)query.Address, Key = (float*)key.Address,
            Value = (float*)value.Address, Output = (float*)output.Address, LogSumExp = (float*)logSumExp.Address,
            OutputGradient = (float*)outputGradient.Address, Delta = (float*)delta.Address,
            QueryGradient = (float*)queryGradient.Address, KeyGradient = (float*)keyGradient.Address,
            ValueGradient = (float*)valueGradient.Address, Workspace = (byte*)context.Workspace.Address,
        };
        context.Pool.Run(job, shape.Batch * shape.KeyValueHeads);
    }

    /// <summary>Packs Xᵀ: B(d, row) = x[row][d].</summary>
    public static void PackTransposed(float* x, nint stride, int rows, int features, float* panels, int width)
    {
        for (int row = 0; row < rows; row += width)
        {
            PackedMatrix.PackTransposed(
                x + row * stride, stride, Math.Min(width, rows - row), features, panels + (nint)row * features, width);
        }
    }

    /// <summary>Packs X: B(row, d) = x[row][d].</summary>
    public static void Pack(float* x, nint stride, int rows, int features, float* panels, int width)
    {
        for (int row = 0; row < rows; row++)
        {
            PackedMatrix.PackRow(x + row * stride, features, panels + row * width, (nint)rows * width, width);
        }
    }
}

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
        int scoreStride = PackedMatrix.Round(keys, Microkernel.MaxColumns);
        float* keyPanels = (float*)(Workspace + worker * Attention.ThreadWorkspaceBytes(Shape));
        float* valuePanels = keyPanels + (nint)scoreStride * features;
        float* scores = valuePanels + (nint)PackedMatrix.Round(features, Microkernel.MaxColumns) * keys;
        float* scratch = scores + Attention.BlockRows * scoreStride;

        nint firstKey = (nint)batch * keys * Shape.KeyColumns + group * features;
        Attention.PackTransposed(Key + firstKey, Shape.KeyColumns, keys, features, keyPanels, width);
        Attention.Pack(Value + firstKey, Shape.KeyColumns, keys, features, valuePanels, width);
        float* inverseSums = stackalloc float[Attention.BlockRows];
        int earlier = keys - Shape.QueryLength;
        for (int head = group * Shape.GroupHeads; head < (group + 1) * Shape.GroupHeads; head++)
        {
            for (int first = 0; first < Shape.QueryLength; first += Attention.BlockRows)
            {
                int rows = Math.Min(Attention.BlockRows, Shape.QueryLength - first);
                int seen = earlier + first + rows;
                nint token = (nint)batch * Shape.QueryLength + first;
                nint start = token * Shape.QueryColumns + head * features;
                BlockProduct.Run(
                    Kernel, Query + start, Shape.QueryColumns, 1, keyPanels, (nint)features * width, rows, seen, features,
                    null, 0, scores, scoreStride, scratch);

                float* logSumExp = LogSumExp + (nint)head * Shape.QueryRows + token;
                for (int i = 0; i < rows; i++)
                {
                    float* row = scores + i * scoreStride;
                    int visible = earlier + first + i + 1;
                    float max = Softmax.Max(row, visible);
                    float sum = Softmax.Exponentials(row, visible, max, Shape.Scale);
                    new Span<float>(row + visible, seen - visible).Clear();
                    logSumExp[i] = max * Shape.Scale + MathF.Log(sum);
                    inverseSums[i] = 1 / sum;
                }

                BlockProduct.Run(
                    Kernel, scores, scoreStride, 1, valuePanels, (nint)keys * width, rows, features, seen,
                    null, 0, Output + start, Shape.QueryColumns, scratch);
                for (int i = 0; i < rows; i++)
                {
                    VectorMath.Scale(Output + start + (nint)i * Shape.QueryColumns, inverseSums[i], features);
                }
            }
        }
    }
}
