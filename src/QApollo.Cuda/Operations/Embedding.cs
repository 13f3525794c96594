using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/embedding.cu.
public sealed unsafe partial class CudaDevice
{
    private static readonly RowKernels EmbeddingForwardCodes = new("embedding", "embedding_forward_i8", 128, 8);
    private static readonly RowKernels EmbeddingForwardBF16 = new("embedding", "embedding_forward_bf16", 128, 4);
    private static readonly RowKernels EmbeddingForwardF32 = new("embedding", "embedding_forward_f32", 128, 4);
    private static readonly RowKernels EmbeddingBackwardF32 = new("embedding", "embedding_backward_f32", 128, 8);
    private static readonly RowKernels EmbeddingBackwardBF16 = new("embedding", "embedding_backward_bf16", 128, 8);

    public void EmbeddingForward(in WeightMatrix table, Tensor tokens, Tensor output)
    {
        bool vector = HaveVectorRows(output, table.Values);
        if (table.IsQuantized)
        {
            Launch(
                EmbeddingForwardCodes.Choose(vector), output.Rows, table.Values, table.Scales, table.ZeroPoints, tokens, output, output.Columns,
                GroupsPerRow(table), GroupShift(table));
        }
        else
        {
            RowKernels kernels = table.Values.DType == DType.F32 ? EmbeddingForwardF32 : EmbeddingForwardBF16;
            Launch(kernels.Choose(vector), output.Rows, table.Values, tokens, output, output.Columns);
        }
    }

    public void EmbeddingBackward(Tensor outputGradient, in TokenIndex index, int firstRow, Tensor tableGradient)
    {
        RowKernels kernels = tableGradient.DType == DType.F32 ? EmbeddingBackwardF32 : EmbeddingBackwardBF16;
        Launch(
            kernels.Choose(HaveVectorRows(outputGradient, tableGradient)), index.Count, outputGradient, index.Tokens, index.Starts, index.Positions,
            tableGradient, index.First, firstRow, outputGradient.Columns);
    }
}
