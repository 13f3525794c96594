using QApollo.Cuda.Driver;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Cuda;

// Copies, constants and random numbers: Kernels/fill.cu.
public sealed unsafe partial class CudaDevice
{
    private static readonly Kernel ConvertToBF16 = new("fill", "convert_f32_bf16", 256, 4);
    private static readonly Kernel ConvertToF32 = new("fill", "convert_bf16_f32", 256, 4);
    private static readonly Kernel FillF32 = new("fill", "fill_f32", 256, 4);
    private static readonly Kernel FillBF16 = new("fill", "fill_bf16", 256, 4);
    private static readonly Kernel NormalF32 = new("fill", "normal_f32", 256, 9);
    private static readonly Kernel NormalBF16 = new("fill", "normal_bf16", 256, 9);

    public void Copy(Tensor source, Tensor destination)
    {
        if (source.DType == destination.DType)
        {
            _context.MakeCurrent();
            _commands.Copy(source.Address, destination.Address, source.Bytes);
            return;
        }

        Kernel kernel = ByDType(source, ConvertToBF16, ConvertToF32);
        Launch(kernel, VectorBlocks(source.Elements, kernel), source, destination, source.Elements, AreAligned(source, destination));
    }

    public void Zero(Tensor tensor)
    {
        if (IsPinnedHost(tensor.Address))
        {
            Synchronize();
            System.Runtime.InteropServices.NativeMemory.Clear((void*)tensor.Address, (nuint)tensor.Bytes);
            return;
        }

        _context.MakeCurrent();
        _commands.Fill(tensor.Address, 0, tensor.Bytes);
    }

    public void Fill(Tensor destination, float value)
    {
        Kernel kernel = ByDType(destination, FillF32, FillBF16);
        Launch(kernel, VectorBlocks(destination.Elements, kernel), destination, value, destination.Elements, AreAligned(destination));
    }

    public void FillNormal(Tensor destination, in RandomStream stream, long firstElement, float standardDeviation)
    {
        Kernel kernel = ByDType(destination, NormalF32, NormalBF16);
        Launch(
            kernel, Ceiling(destination.Elements, kernel.Threads * 4L), destination, destination.Elements, (uint)stream.Seed, (uint)(stream.Seed >> 32),
            (uint)stream.Purpose, stream.Parameter, stream.Step, firstElement / 4, standardDeviation);
    }
}
