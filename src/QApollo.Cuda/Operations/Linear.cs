using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

// Kernels/gemm.h and the linear_*.cu files.
public sealed unsafe partial class CudaDevice
{
    private static readonly ProductKernels ForwardCodes = new("linear_forward", "i8", 11);
    private static readonly ProductKernels ForwardBF16 = new("linear_forward", "bf16", 7);
    private static readonly Kernel ForwardF32 = new("linear_forward", "linear_forward_f32_64_any", 128, 7);
    private static readonly ProductKernels InputGradientCodes = new("linear_input_gradient", "i8", 11);
    private static readonly ProductKernels InputGradientBF16 = new("linear_input_gradient", "bf16", 7);
    private static readonly Kernel InputGradientF32 = new("linear_input_gradient", "linear_input_gradient_f32_64_any", 128, 7);
    private static readonly ProductKernels WeightGradientF32 = new("linear_weight_gradient", "f32", 7);
    private static readonly ProductKernels WeightGradientBF16 = new("linear_weight_gradient", "bf16", 7);

    public void LinearForward(Tensor input, in WeightMatrix weight, Tensor output, Tensor addend = default)
    {
        var product = new ProductShape(
            ProductKind.Forward, input.Rows, weight.OutFeatures, weight.InFeatures, weight.Values.DType, weight.GroupSize, output.DType);
        if (TryMultiply(product, Dense(weight, weight.ForwardExpansion), input, addend, output))
        {
            return;
        }

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
        var product = new ProductShape(
            ProductKind.InputGradient, outputGradient.Rows, weight.OutFeatures, weight.InFeatures, weight.Values.DType, weight.GroupSize,
            inputGradient.DType);
        if (TryMultiply(product, Dense(weight, weight.InputGradientExpansion), outputGradient, addend, inputGradient))
        {
            return;
        }

        if (weight.IsQuantized)
        {
            MultiplyCodes(InputGradientCodes, outputGradient, weight, inputGradient, addend);
        }
        else
        {
            bool aligned = HaveVectorRows(outputGradient) && HaveVectorRows(weight.Values, inputGradient);
            Multiply(
                weight.Values.DType == DType.F32 ? InputGradientF32 : InputGradientBF16.Choose(inputGradient, aligned, Card.Processors), inputGradient,
                outputGradient, weight.Values, inputGradient, addend, outputGradient.Rows, weight.OutFeatures, weight.InFeatures);
        }
    }

    public void LinearWeightGradient(Tensor outputGradient, Tensor input, Tensor weightGradient, bool accumulate)
    {
        var product = new ProductShape(
            ProductKind.WeightGradient, input.Rows, outputGradient.Columns, input.Columns, DType.F32, GroupSize: 0, weightGradient.DType);
        if (TryMultiply(product, input, outputGradient, accumulate ? weightGradient : default, weightGradient))
        {
            return;
        }

        bool aligned = HaveVectorRows(outputGradient) && HaveVectorRows(input, weightGradient);
        ProductKernels kernels = weightGradient.DType == DType.F32 ? WeightGradientF32 : WeightGradientBF16;
        Multiply(
            kernels.Choose(weightGradient, aligned, Card.Processors), weightGradient, outputGradient, input, weightGradient,
            accumulate ? weightGradient : default, input.Rows, outputGradient.Columns, input.Columns);
    }

    /// <summary>Lets cuBLASLt compute a product, where that was chosen and the operands suit it.</summary>
    /// <param name="first">Its operand A: the weight, or the input of a weight gradient. Absent where it is not there in BF16.</param>
    private bool TryMultiply(in ProductShape product, Tensor first, Tensor second, Tensor addend, Tensor result)
    {
        if (first.IsAbsent || _workspace.Bytes < CudaProfile.ProductWorkspaceBytes || !AreAligned(first, second, addend, result, _workspace)
            || _products.Find(product) is not { } way)
        {
            return false;
        }

        _context.MakeCurrent();
        _commands.Multiply(way, first.Address, second.Address, addend.Address, result.Address, _workspace.Address);
        return true;
    }

    /// <summary>The weight in BF16; absent where it is not there as such.</summary>
    private static Tensor Dense(in WeightMatrix weight, Tensor expansion) =>
        weight.IsQuantized ? expansion : weight.Values.DType == DType.BF16 ? weight.Values : default;

    private void MultiplyCodes(ProductKernels kernels, Tensor operand, in WeightMatrix weight, Tensor output, Tensor addend)
    {
        bool aligned = HaveVectorRows(operand) && weight.InFeatures % VectorBytes == 0 && AreAligned(weight.Values, output);
        Multiply(
            kernels.Choose(output, aligned, Card.Processors), output, operand, weight.Values, weight.Scales, weight.ZeroPoints, output, addend,
            operand.Rows, weight.OutFeatures, weight.InFeatures, GroupsPerRow(weight), GroupShift(weight));
    }

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
