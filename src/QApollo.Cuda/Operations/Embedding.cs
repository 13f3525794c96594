using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/embedding.cu.
public sealed unsafe partial class CudaDevice
{
    private static readonly Kernel EmbeddingForwardCodes = new("embedding", "embedding_forward_i8", 128, 9);
    private static readonly Kernel EmbeddingForwardBF16 = new("embedding", "embedding_forward_bf16", 128, 5);
    private static readonly Kernel EmbeddingForwardF32 = new("embedding", "embedding_forward_f32", 128, 5);
    private static readonly Kernel EmbeddingBackwardF32 = new("embedding", "embedding_backward_f32", 128, 9);
    private static readonly Kernel EmbeddingBackwardBF16 = new("embedding", "embedding_backward_bf16", 128, 9);

    public void EmbeddingForward(in WeightMatrix table, Tensor tokens, Tensor output)
    {
        bool vector = HaveVectorRows(output, table.Values);
        if (table.IsQuantized)
        {
            Launch(
                EmbeddingForwardCodes, output.Rows, table.Values, table.Scales, table.ZeroPoints, tokens, output, output.Columns,
                GroupsPerRow(table), GroupShift(table), vector);
        }
        else
        {
            Launch(ByDType(table.Values, EmbeddingForwardF32, EmbeddingForwardBF16), output.Rows, table.Values, tokens, output, output.Columns, vector);
        }
    }

    public void EmbeddingBackward(Tensor outputGradient, in TokenIndex index, int firstRow, Tensor tableGradient) => Launch(
        ByDType(tableGradient, EmbeddingBackwardF32, EmbeddingBackwardBF16), index.Count, outputGradient, index.Tokens, index.Starts,
        index.Positions, tableGradient, index.First, firstRow, outputGradient.Columns, HaveVectorRows(outputGradient, tableGradient));
}
