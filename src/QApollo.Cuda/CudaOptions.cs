using QApollo.Cuda.Driver;
using QApollo.Devices;

namespace QApollo.Cuda;

/// <summary>Who computes the matrix products.</summary>
public enum GemmChoice
{
    /// <summary>Product by product whoever is faster on this GPU, where cuBLASLt is found; else the own kernels.</summary>
    Auto,

    /// <summary>The own kernels.</summary>
    Own,

    /// <summary>cuBLASLt, where it has an algorithm and the operands suit it.</summary>
    CublasLt,
}

/// <summary>How the CUDA device does its work.</summary>
public sealed record CudaOptions
{
    /// <summary>Launches that a step repeats go to the driver as CUDA graphs: the same work, in fewer calls.</summary>
    public bool UseGraphs { get; init; } = true;

    public GemmChoice Gemm { get; init; } = GemmChoice.Own;

    /// <summary>The file of cuBLASLt; null to search for it.</summary>
    public string? CublasLtPath { get; init; }

    /// <summary>
    /// The products that cuBLASLt computes under <see cref="GemmChoice.Auto"/>, as an earlier run measured them, so that this
    /// one leaves the same bytes; null to measure.
    /// </summary>
    public IReadOnlyList<ProductShape>? ProductsByCublasLt { get; init; }

    /// <summary>
    /// Called once, from within an operation, while the driver compiles kernels: on the first start of a program on a card, whose kernels it
    /// keeps for the next.
    /// </summary>
    public Action<CudaCard>? Compiling { get; init; }

    /// <summary>For tests: where the text of a module comes from; null for the one that is embedded.</summary>
    internal Func<string, byte[]>? PtxSource { get; init; }
}
