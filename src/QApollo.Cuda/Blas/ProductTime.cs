using QApollo.Devices;

namespace QApollo.Cuda.Blas;

/// <summary>How long a product takes, in milliseconds.</summary>
/// <param name="Own">By the own kernels.</param>
/// <param name="Library">By cuBLASLt, with its share of the weight's expansion.</param>
public readonly record struct ProductTime(ProductShape Product, double Own, double Library)
{
    public bool IsByLibrary => Library < Own;
}
