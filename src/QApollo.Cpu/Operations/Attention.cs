using System.Runtime.Intrinsics;
using QApollo.Cpu.Gemm;
using QApollo.Cpu.Numerics;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>
/// Causal attention. A task is a key/value head of a sequence: its keys and values are packed once, then blocks of
/// query rows of all heads that share them pass by. Keys that no row of a block sees, later ones and those of earlier
/// documents, are never computed.
/// </summary>
internal static unsafe class Attention
{
    /// <summary>A multiple of the rows and of the columns of every kernel's tile.</summary>
    private const int TileKeys = 96;

    public static long ThreadWorkspaceBytes(in AttentionShape shape) =>
        Math.Max(AttentionScratch.Forward(shape, null).Bytes, AttentionScratch.Backward(shape, null).Bytes);

    public static void Forward(
        CpuContext context, Tensor query, Tensor key, Tensor value, in AttentionShape shape, Tensor output, Tensor logSumExp,
        Tensor documentStarts)
    {
        var job = new AttentionForwardJob
        {
            Kernel = context.Kernel,
            Shape = shape,
            Query = (float*)query.Address,
            Key = (float*)key.Address,
            Value = (float*)value.Address,
            Output = (float*)output.Address,
            LogSumExp = (float*)logSumExp.Address,
            DocumentStarts = (int*)documentStarts.Address,
            Workspace = (byte*)context.Workspace.Address,
        };
        context.Pool.Run(job, shape.Batch * shape.KeyValueHeads);
    }

    public static void Backward(
        CpuContext context, Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor outputGradient,
        in AttentionShape shape, Tensor delta, Tensor queryGradient, Tensor keyGradient, Tensor valueGradient,
        Tensor documentStarts)
    {
        var job = new AttentionBackwardJob
        {
            Kernel = context.Kernel,
            Shape = shape,
            Query = (float*)query.Address,
            Key = (float*)key.Address,
            Value = (float*)value.Address,
            Output = (float*)output.Address,
            LogSumExp = (float*)logSumExp.Address,
            OutputGradient = (float*)outputGradient.Address,
            Delta = (float*)delta.Address,
            QueryGradient = (float*)queryGradient.Address,
            KeyGradient = (float*)keyGradient.Address,
            ValueGradient = (float*)valueGradient.Address,
            DocumentStarts = (int*)documentStarts.Address,
            Workspace = (byte*)context.Workspace.Address,
        };
        context.Pool.Run(job, shape.Batch * shape.KeyValueHeads);
    }

    /// <summary>Continues a row from <paramref name="count"/> to a whole number of the widest registers; returns that length.</summary>
    public static int Pad(float* row, int count, float value)
    {
        int padded = PackedMatrix.Round(count, Vector512<float>.Count);
        new Span<float>(row + count, padded - count).Fill(value);
        return padded;
    }

    /// <summary>
    /// Keys that a block of rows need not look at: those before its first row's document, in whole tiles of every kernel, so
    /// that what remains lies to the diagonal as it would without them.
    /// </summary>
    /// <param name="start">The first key that the block's first row sees.</param>
    public static int KeysSkipped(int start) => start / TileKeys * TileKeys;

    /// <summary>Zeros elements start .. end - 1, if there are any.</summary>
    public static void Clear(float* row, int start, int end)
    {
        if (start < end)
        {
            new Span<float>(row + start, end - start).Clear();
        }
    }

    /// <summary>A block of rows times a factor, contiguous.</summary>
    public static LeftBlock CopyScaled(float* x, nint stride, int rows, int features, float factor, float* buffer, int height)
    {
        for (int row = 0; row < rows; row++)
        {
            VectorMath.Multiply(x + row * stride, factor, buffer + row * features, features);
        }

        return new LeftBlock(buffer, features, 1, height * features);
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
