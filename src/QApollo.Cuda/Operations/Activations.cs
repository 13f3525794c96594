using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/rotary.cu and Kernels/swiglu.cu.
public sealed unsafe partial class CudaDevice
{
    private static readonly Kernel RotaryVector = new("rotary", "rotary_vector", 256, 10);
    private static readonly Kernel RotaryScalar = new("rotary", "rotary", 256, 10);
    private static readonly Kernel SwiGluForwardKernel = new("swiglu", "swiglu_forward", 256, 5);
    private static readonly Kernel SwiGluBackwardKernel = new("swiglu", "swiglu_backward", 256, 7);

    public void RotaryEmbedding(
        Tensor values, Tensor cosine, Tensor sine, int sequenceLength, int firstPosition, bool inverse, Tensor documentStarts = default)
    {
        int half = cosine.Columns;
        bool vector = half % VectorElements == 0 && AreAligned(values, cosine, sine);
        Kernel kernel = vector ? RotaryVector : RotaryScalar;
        long items = values.Elements / 2 / (vector ? VectorElements : 1);
        Launch(
            kernel, Ceiling(items, kernel.Threads), values, cosine, sine, items, values.Columns / (2 * half), half, sequenceLength, firstPosition,
            inverse, documentStarts);
    }

    public void SwiGluForward(Tensor gate, Tensor up, Tensor output) => Launch(
        SwiGluForwardKernel, VectorBlocks(gate.Elements, SwiGluForwardKernel), gate, up, output, gate.Elements, AreAligned(gate, up, output));

    public void SwiGluBackward(Tensor gate, Tensor up, Tensor outputGradient, Tensor gateGradient, Tensor upGradient) => Launch(
        SwiGluBackwardKernel, VectorBlocks(gate.Elements, SwiGluBackwardKernel), gate, up, outputGradient, gateGradient, upGradient,
        gate.Elements, AreAligned(gate, up, outputGradient, gateGradient, upGradient));
}
