using QApollo.Cuda.Driver;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Cuda;

// Kernels/update.cu and Kernels/quantize.cu.
public sealed unsafe partial class CudaDevice
{
    /// <summary>Blocks of an update; each adds its count of changes once.</summary>
    private const int MaxUpdateBlocks = 4096;

    private static readonly Kernel UpdateCodesF32 = new("update", "update_codes_f32", 256, 26);
    private static readonly Kernel UpdateCodesBF16 = new("update", "update_codes_bf16", 256, 26);
    private static readonly Kernel UpdateF32FromF32 = new("update", "update_dense_f32_f32", 256, 20);
    private static readonly Kernel UpdateF32FromBF16 = new("update", "update_dense_f32_bf16", 256, 20);
    private static readonly Kernel UpdateBF16FromF32 = new("update", "update_dense_bf16_f32", 256, 20);
    private static readonly Kernel UpdateBF16FromBF16 = new("update", "update_dense_bf16_bf16", 256, 20);
    private static readonly Kernel QuantizeKernel = new("quantize", "quantize", 256, 12);
    private static readonly Kernel DequantizeKernel = new("quantize", "dequantize", 256, 12);
    private static readonly Kernel ExpandKernel = new("quantize", "expand", 256, 10);

    public void ApplyUpdate(
        in WeightMatrix weight, Tensor gradient, Tensor coefficients, ChannelAxis axis, in UpdateScalars scalars, Tensor counts)
    {
        Tensor values = weight.Values;
        bool vector = HaveVectorRows(values, gradient) && AreAligned(weight.Residuals);
        RandomStream stream = scalars.RoundingStream;
        if (weight.IsQuantized)
        {
            long blocks = Math.Min(Ceiling((long)values.Rows * GroupsPerRow(weight), GroupsPerBlock(weight, UpdateCodesF32)), MaxUpdateBlocks);
            Launch(
                ByDType(gradient, UpdateCodesF32, UpdateCodesBF16), blocks, values, weight.Residuals, weight.ResidualBits, weight.Scales, weight.ZeroPoints, gradient, coefficients, counts,
                values.Rows, values.Columns, weight.GroupSize, GroupsPerRow(weight), vector, IsSymmetric(weight), (int)axis, scalars.DecayFirst, (int)scalars.Rounding,
                scalars.Regrid == RegridMode.Always, scalars.FirstRow, scalars.Decay, (uint)stream.Seed, (uint)(stream.Seed >> 32),
                (uint)stream.Purpose, stream.Parameter, stream.Step, scalars.RoundingOffset);
            return;
        }

        Kernel kernel = values.DType == DType.F32
            ? ByDType(gradient, UpdateF32FromF32, UpdateF32FromBF16)
            : ByDType(gradient, UpdateBF16FromF32, UpdateBF16FromBF16);
        var (items, chunks) = Chunks(values);
        Launch(
            kernel, Math.Min(Ceiling(items, kernel.Threads), MaxUpdateBlocks), values, gradient, coefficients, counts, items, values.Columns, chunks,
            vector, (int)axis, scalars.DecayFirst, (int)scalars.Rounding, scalars.Regrid == RegridMode.Always, scalars.FirstRow, scalars.Decay,
            (uint)stream.Seed, (uint)(stream.Seed >> 32), (uint)stream.Purpose, stream.Parameter, stream.Step, scalars.RoundingOffset);
    }

    public void Quantize(Tensor source, in WeightMatrix destination)
    {
        if (!destination.IsQuantized)
        {
            Copy(source, destination.Values);
            return;
        }

        int groups = GroupsPerRow(destination);
        Launch(
            QuantizeKernel, Ceiling((long)source.Rows * groups, GroupsPerBlock(destination, QuantizeKernel)), source, destination.Values,
            destination.Residuals, destination.ResidualBits, destination.Scales, destination.ZeroPoints, source.Rows, source.Columns, destination.GroupSize, groups,
            HaveVectorRows(source, destination.Values) && AreAligned(destination.Residuals), IsSymmetric(destination));
    }

    public void Dequantize(in WeightMatrix source, Tensor destination)
    {
        if (!source.IsQuantized)
        {
            Copy(source.Values, destination);
            return;
        }

        var (items, chunks) = Chunks(source.Values);
        Launch(
            DequantizeKernel, Ceiling(items, DequantizeKernel.Threads), source.Values, source.Residuals, source.ResidualBits, source.Scales,
            source.ZeroPoints, destination, items, source.InFeatures, chunks, GroupsPerRow(source), GroupShift(source),
            HaveVectorRows(source.Values) && AreAligned(source.Residuals, destination));
    }

    /// <summary>For cuBLASLt, as BF16 values; nothing for a weight that it does not multiply.</summary>
    public void ExpandWeight(in WeightMatrix weight, WeightUse use, Tensor expansion)
    {
        if (!weight.IsQuantized || !_products.NeedsExpansion(weight.OutFeatures, weight.InFeatures))
        {
            return;
        }

        var (items, chunks) = Chunks(weight.Values);
        Launch(
            ExpandKernel, Ceiling(items, ExpandKernel.Threads), weight.Values, weight.Scales, weight.ZeroPoints, expansion, items, weight.InFeatures,
            chunks, GroupsPerRow(weight), GroupShift(weight), HaveVectorRows(weight.Values) && AreAligned(expansion));
    }

    /// <summary>Runs of 8 values, and those in a row.</summary>
    private static (long Items, long PerRow) Chunks(Tensor values)
    {
        long chunks = Ceiling(values.Columns, VectorElements);
        return (values.Rows * chunks, chunks);
    }

    private static bool IsSymmetric(in WeightMatrix weight) => weight.ZeroPointRule == ZeroPointRule.Symmetric;

    private static int GroupsPerBlock(in WeightMatrix weight, Kernel kernel) => kernel.Threads * VectorElements / weight.GroupSize;
}
