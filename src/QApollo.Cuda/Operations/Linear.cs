using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/gemm.h and the linear_*.cu files.
public sealed unsafe partial class CudaDevice
{
    private static readonly ProductKernels ForwardCodes = new("linear_forward", "i8", 12);
    private static readonly ProductKernels ForwardBF16 = new("linear_forward", "bf16", 7);
    private static readonly Kernel ForwardF32 = new("linear_forward", "linear_forward_f32_64_any", 128, 7);
    private static readonly ProductKernels InputGradientCodes = new("linear_input_gradient", "i8", 12);
    private static readonly ProductKernels InputGradientBF16 = new("linear_input_gradient", "bf16", 7);
    private static readonly Kernel InputGradientF32 = new("linear_input_gradient", "linear_input_gradient_f32_64_any", 128, 7);
    private static readonly ProductKernels WeightGradientF32 = new("linear_weight_gradient", "f32", 7);
    private static readonly ProductKernels WeightGradientBF16 = new("linear_weight_gradient", "bf16", 7);

    public void LinearForward(Tensor input, in WeightMatrix weight, Tensor output, Tensor addend = default)
    {
        if (weight.IsQuantized)
        {
            MultiplyCodes(ForwardCodes, input, weight, output, addend);
        }
        else
        {
            bool aligned = HaveVectorRows(input, weight.Values);
            Multiply(
                weight.Values.DType == DType.F32 ? ForwardF32 : ForwardBF16.Choose(output, aligned, Card.Processors), output,
                input, weight.Values, output, addend, input.Rows, weight.OutFeatures, weight.InFeatures);
        }
    }

    public void LinearInputGradient(Tensor outputGradient, in WeightMatrix weight, Tensor inputGradient, bool accumulate)
    {
        Tensor addend = accumulate ? inputGradient : default;
        if (weight.IsQuantized)
        {
            MultiplyCodes(InputGradientCodes, outputGradient, weight, inputGradient, addend);
        }
        else
        {
            bool aligned = HaveVectorRows(outputGradient) && HaveVectorRows(weight.Values);
            Multiply(
                weight.Values.DType == DType.F32 ? InputGradientF32 : InputGradientBF16.Choose(inputGradient, aligned, Card.Processors), inputGradient,
                outputGradient, weight.Values, inputGradient, addend, outputGradient.Rows, weight.OutFeatures, weight.InFeatures);
        }
    }

    public void LinearWeightGradient(Tensor outputGradient, Tensor input, Tensor weightGradient, bool accumulate)
    {
        bool aligned = HaveVectorRows(outputGradient) && HaveVectorRows(input);
        ProductKernels kernels = weightGradient.DType == DType.F32 ? WeightGradientF32 : WeightGradientBF16;
        Multiply(
            kernels.Choose(weightGradient, aligned, Card.Processors), weightGradient, outputGradient, input, weightGradient,
            accumulate ? weightGradient : default, input.Rows, outputGradient.Columns, input.Columns);
    }

    private void MultiplyCodes(ProductKernels kernels, Tensor operand, in WeightMatrix weight, Tensor output, Tensor addend) => Multiply(
        kernels.Choose(output, HaveVectorRows(operand), Card.Processors), output, operand, weight.Values, weight.Scales, weight.ZeroPoints, output,
        addend, operand.Rows, weight.OutFeatures, weight.InFeatures, GroupsPerRow(weight), GroupShift(weight),
        weight.InFeatures % VectorBytes == 0 && IsAligned(weight.Values.Address));

    private void Multiply(Kernel kernel, Tensor output, params ReadOnlySpan<KernelArgument> arguments)
    {
        int tile = kernel.Threads / 2;
        int sharedBytes = 3 * 2 * tile * 32 * sizeof(ushort);
        Launch(kernel, (ProductKernels.Tiles(output, tile), 1, 1), sharedBytes, arguments);
    }

    /// <summary>The forms of one product: tiles of 128 or 64, operands with 16-byte aligned rows or with any.</summary>
    private sealed class ProductKernels(string module, string type, int parameters)
    {
        private readonly Kernel _large = new(module, $"{module}_{type}_128", 256, parameters);
        private readonly Kernel _small = new(module, $"{module}_{type}_64", 128, parameters);
        private readonly Kernel _largeAny = new(module, $"{module}_{type}_128_any", 256, parameters);
        private readonly Kernel _smallAny = new(module, $"{module}_{type}_64_any", 128, parameters);

        public IEnumerable<Kernel> All => [_large, _small, _largeAny, _smallAny];

        public static long Tiles(Tensor output, int tile) => Ceiling(output.Rows, tile) * Ceiling(output.Columns, tile);

        /// <summary>Large tiles read each operand less often; small ones keep all processors busy where there are few tiles.</summary>
        public Kernel Choose(Tensor output, bool aligned, int processors)
        {
            bool large = Tiles(output, 128) >= processors;
            return aligned ? (large ? _large : _small) : (large ? _largeAny : _smallAny);
        }
    }
}
