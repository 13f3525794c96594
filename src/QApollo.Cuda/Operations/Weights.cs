using QApollo.Cuda.Driver;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Cuda;

// Kernels/update.cu and Kernels/quantize.cu.
public sealed unsafe partial class CudaDevice
{
    /// <summary>Blocks of an update; each adds its count of changes once.</summary>
    private const int MaxUpdateBlocks = 4096;

    private static readonly Kernel UpdateCodesF32 = new("update", "update_codes_f32", 256, 23);
    private static readonly Kernel UpdateCodesBF16 = new("update", "update_codes_bf16", 256, 23);
    private static readonly Kernel UpdateF32FromF32 = new("update", "update_dense_f32_f32", 256, 20);
    private static readonly Kernel UpdateF32FromBF16 = new("update", "update_dense_f32_bf16", 256, 20);
    private static readonly Kernel UpdateBF16FromF32 = new("update", "update_dense_bf16_f32", 256, 20);
    private static readonly Kernel UpdateBF16FromBF16 = new("update", "update_dense_bf16_bf16", 256, 20);
    private static readonly Kernel QuantizeKernel = new("quantize", "quantize", 256, 9);
    private static readonly Kernel DequantizeKernel = new("quantize", "dequantize", 256, 10);
    private static readonly Kernel ExpandKernel = new("quantize", "expand", 256, 10);

    public void ApplyUpdate(
        in WeightMatrix weight, Tensor gradient, Tensor coefficients, ChannelAxis axis, in UpdateScalars scalars, Tensor changed)
    {
        Tensor values = weight.Values;
        bool vector = HaveVectorRows(values, gradient);
        RandomStream stream = scalars.RoundingStream;
        if (weight.IsQuantized)
        {
            long blocks = Math.Min(Ceiling((long)values.Rows * GroupsPerRow(weight), GroupsPerBlock(weight, UpdateCodesF32)), MaxUpdateBlocks);
            Launch(
                ByDType(gradient, UpdateCodesF32, UpdateCodesBF16), blocks, values, weight.Scales, weight.ZeroPoints, gradient, coefficients, changed,
                values.Rows, values.Columns, weight.GroupSize, GroupsPerRow(weight), vector, (int)axis, scalars.DecayFirst, (int)scalars.Rounding,
                scalars.Regrid == RegridMode.Always, scalars.FirstRow, scalars.Decay, (uint)stream.Seed, (uint)(stream.Seed >> 32),
                (uint)stream.Purpose, stream.Parameter, stream.Step, scalars.RoundingOffset);
            return;
        }

        Kernel kernel = values.DType == DType.F32
            ? ByDType(gradient, UpdateF32FromF32, UpdateF32FromBF16)
            : ByDType(gradient, UpdateBF16FromF32, UpdateBF16FromBF16);
        long chunks = Ceiling(values.Columns, VectorElements);
        long items = values.Rows * chunks;
        Launch(
            kernel, Math.Min(Ceiling(items, kernel.Threads), MaxUpdateBlocks), values, gradient, coefficients, changed, items, values.Columns, chunks,
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
            destination.Scales, destination.ZeroPoints, source.Rows, source.Columns, destination.GroupSize, groups,
            HaveVectorRows(source, destination.Values));
    }

    public void Dequantize(in WeightMatrix source, Tensor destination)
    {
        if (!source.IsQuantized)
        {
            Copy(source.Values, destination);
            return;
        }

        Dequantize(DequantizeKernel, source, destination.Address);
    }

    /// <summary>For cuBLASLt, as BF16 values; nothing for a weight that it does not multiply.</summary>
    public void ExpandWeight(in WeightMatrix weight, WeightUse use, Tensor expansion)
    {
        if (weight.IsQuantized && _products.NeedsExpansion(weight.OutFeatures, weight.InFeatures))
        {
            Dequantize(ExpandKernel, weight, expansion.Address);
        }
    }

    private void Dequantize(Kernel kernel, in WeightMatrix source, nint destination)
    {
        int columns = source.InFeatures;
        long chunks = Ceiling(columns, VectorElements);
        long items = source.OutFeatures * chunks;
        Launch(
            kernel, Ceiling(items, kernel.Threads), source.Values, source.Scales, source.ZeroPoints, destination, items, columns, chunks,
            GroupsPerRow(source), GroupShift(source), HaveVectorRows(source.Values) && IsAligned(destination));
    }

    private static int GroupsPerBlock(in WeightMatrix weight, Kernel kernel) => kernel.Threads * VectorElements / weight.GroupSize;
}
