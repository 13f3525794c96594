using QApollo.Cuda.Driver;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Cuda;

// Kernels/quantize_rows.cu.
public sealed unsafe partial class CudaDevice
{
    private static readonly Kernel QuantizeRowsKernel = new("quantize_rows", "quantize_rows", 256, 11);
    private static readonly Kernel DequantizeRowsKernel = new("quantize_rows", "dequantize_rows", 256, 5);

    public void QuantizeRows(Tensor values, in RandomStream stream, long firstRow, Tensor codes, Tensor scales) => Launch(
        QuantizeRowsKernel, values.Rows, values, codes, scales, values.Columns, (uint)stream.Seed, (uint)(stream.Seed >> 32), (uint)stream.Purpose,
        stream.Parameter, stream.Step, firstRow, HaveVectorRows(values, codes));

    public void DequantizeRows(Tensor codes, Tensor scales, Tensor values) => Launch(
        DequantizeRowsKernel, values.Rows, codes, scales, values, values.Columns, HaveVectorRows(codes, values));
}
