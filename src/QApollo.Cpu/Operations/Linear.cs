using QApollo.Cpu.Gemm;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>The three products of a linear layer.</summary>
internal static unsafe class Linear
{
    public static void Expand(CpuContext context, in WeightMatrix weight, WeightUse use, Tensor expansion) =>
        PackedMatrix.Expand(context, weight, use, (float*)expansion.Address);

    public static void Forward(CpuContext context, Tensor input, in WeightMatrix weight, Tensor output, Tensor addend)
    {
        if (input.Rows <= FewRowProduct.MaxRows && input.DType == DType.F32)
        {
            FewRowProduct.Run(context, input, weight, output, addend);
            return;
        }

        Product.Run(context, new LeftMatrix(input, Transposed: false), RightOperand.Transpose(weight), addend, output);
    }

    public static void InputGradient(
        CpuContext context, Tensor outputGradient, in WeightMatrix weight, Tensor inputGradient, bool accumulate) => Product.Run(
            context, new LeftMatrix(outputGradient, Transposed: false), RightOperand.Rows(weight), accumulate ? inputGradient : default, inputGradient);

    public static void WeightGradient(
        CpuContext context, Tensor outputGradient, Tensor input, Tensor weightGradient, bool accumulate) => Product.Run(
            context, new LeftMatrix(outputGradient, Transposed: true), RightOperand.Rows(new WeightMatrix(input)),
            accumulate ? weightGradient : default, weightGradient);
}
