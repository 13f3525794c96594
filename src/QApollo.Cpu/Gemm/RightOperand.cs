using QApollo.Devices;

namespace QApollo.Cpu.Gemm;

/// <summary>The right operand B [depth, columns] of a product: a matrix or its transpose, packed or still to be packed.</summary>
internal readonly struct RightOperand
{
    private RightOperand(in WeightMatrix matrix, bool transposed, Tensor packed)
    {
        Matrix = matrix;
        Transposed = transposed;
        Packed = packed;
    }

    public WeightMatrix Matrix { get; }

    public bool Transposed { get; }

    /// <summary>All of B as <see cref="PackedMatrix"/> lays it out; absent when it is still to be packed.</summary>
    public Tensor Packed { get; }

    public int Depth => Transposed ? Matrix.InFeatures : Matrix.OutFeatures;

    public int Columns => Transposed ? Matrix.OutFeatures : Matrix.InFeatures;

    /// <summary>B(k, n) = weight[n, k]: y = x Wᵀ.</summary>
    public static RightOperand Transpose(in WeightMatrix weight) => new(weight, true, weight.ForwardExpansion);

    /// <summary>B(k, n) = weight[k, n]: dx = dy W.</summary>
    public static RightOperand Rows(in WeightMatrix weight) => new(weight, false, weight.InputGradientExpansion);
}
