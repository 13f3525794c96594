using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/cross_entropy.cu.
public sealed unsafe partial class CudaDevice
{
    private static readonly Kernel CrossEntropyForwardKernel = new("cross_entropy", "cross_entropy_forward", 256, 5);
    private static readonly Kernel CrossEntropyBackwardKernel = new("cross_entropy", "cross_entropy_backward", 256, 7);

    public void CrossEntropyForward(Tensor logits, Tensor labels, Tensor logSumExp, Tensor losses) => Launch(
        CrossEntropyForwardKernel, logits.Rows, logits, labels, logSumExp, losses, logits.Columns);

    public void CrossEntropyBackward(Tensor logits, Tensor labels, Tensor logSumExp, int firstColumn, float scale)
    {
        // A row that is not aligned starts inside of a vector.
        int ahead = HaveVectorRows(logits) ? 0 : VectorElements - 1;
        long blocksPerRow = VectorBlocks(logits.Columns + ahead, CrossEntropyBackwardKernel);
        Launch(
            CrossEntropyBackwardKernel, blocksPerRow * logits.Rows, logits, labels, logSumExp, logits.Columns, blocksPerRow, firstColumn, scale);
    }
}
