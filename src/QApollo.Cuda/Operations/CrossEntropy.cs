using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/cross_entropy.cu.
public sealed unsafe partial class CudaDevice
{
    private static readonly Kernel CrossEntropyForwardKernel = new("cross_entropy", "cross_entropy_forward", 256, 6);
    private static readonly Kernel CrossEntropyBackwardKernel = new("cross_entropy", "cross_entropy_backward", 256, 8);

    public void CrossEntropyForward(Tensor logits, Tensor labels, Tensor logSumExp, Tensor losses) => Launch(
        CrossEntropyForwardKernel, logits.Rows, logits, labels, logSumExp, losses, logits.Columns, HaveVectorRows(logits));

    public void CrossEntropyBackward(Tensor logits, Tensor labels, Tensor logSumExp, int firstColumn, float scale)
    {
        long blocksPerRow = VectorBlocks(logits.Columns, CrossEntropyBackwardKernel);
        Launch(
            CrossEntropyBackwardKernel, blocksPerRow * logits.Rows, logits, labels, logSumExp, logits.Columns, blocksPerRow, firstColumn, scale,
            HaveVectorRows(logits));
    }
}
