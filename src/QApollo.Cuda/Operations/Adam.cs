using System.Runtime.InteropServices;
using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/adam.cu and Kernels/adam8.cu.
public sealed unsafe partial class CudaDevice
{
    private static readonly Kernel AdamF32 = new("adam", "adam_f32", 256, 12);
    private static readonly Kernel AdamBF16 = new("adam", "adam_bf16", 256, 12);
    private static readonly Kernel Adam8F32 = new("adam8", "adam8_f32", 256, 14);
    private static readonly Kernel Adam8BF16 = new("adam8", "adam8_bf16", 256, 14);
    private readonly HashSet<Kernel> _withEightBitMaps = [];

    public void AdamDirection(Tensor gradient, Tensor moment1, Tensor moment2, in AdamScalars scalars, Tensor gradientSquares)
    {
        Kernel kernel = ByDType(gradient, AdamF32, AdamBF16);
        long blocks = PartialBlocks(gradient.Elements, kernel);
        var (numerator, epsilon) = DirectionFactors(scalars);
        Launch(
            kernel, blocks, gradient, moment1, moment2, _workspace, gradient.Elements, AreAligned(gradient, moment1, moment2), scalars.Beta1,
            scalars.Beta2, scalars.OneMinusBeta1, scalars.OneMinusBeta2, numerator, epsilon);
        AddPartials(blocks, gradientSquares);
    }

    public void AdamDirection8Bit(
        Tensor gradient, Tensor moment1, Tensor moment2, Tensor scale1, Tensor scale2, in AdamScalars scalars, Tensor gradientSquares)
    {
        Kernel kernel = ByDType(gradient, Adam8F32, Adam8BF16);
        UploadEightBitMaps(kernel);
        long blocks = PartialBlocks(gradient.Elements, kernel);
        var (numerator, epsilon) = DirectionFactors(scalars);
        Launch(
            kernel, blocks, gradient, moment1, moment2, scale1, scale2, _workspace, gradient.Elements, AreAligned(gradient, moment1, moment2),
            scalars.Beta1, scalars.Beta2, scalars.OneMinusBeta1, scalars.OneMinusBeta2, numerator, epsilon);
        AddPartials(blocks, gradientSquares);
    }

    /// <summary>The maps are a table of the kernel's, filled once.</summary>
    private void UploadEightBitMaps(Kernel kernel)
    {
        if (!_withEightBitMaps.Add(kernel))
        {
            return;
        }

        _context.MakeCurrent();
        _commands.Cut();
        var (address, _) = _modules.Global(kernel, "eight_bit_maps");
        _uploads.Upload(MemoryMarshal.AsBytes(EightBitMap.FirstMoment), address, _stream);
        _uploads.Upload(MemoryMarshal.AsBytes(EightBitMap.SecondMoment), address + EightBitMap.FirstMoment.Length * sizeof(float), _stream);
    }
}
