using QApollo.Cuda.Blas;
using QApollo.Cuda.Driver;

namespace QApollo.Cuda.Graphs;

/// <summary>What a command of the stream does; its arguments stand beside it.</summary>
internal enum CommandKind
{
    /// <summary>Runs a kernel on its arguments.</summary>
    Kernel,

    /// <summary>Source, target, bytes.</summary>
    Copy,

    /// <summary>Target, byte value, bytes.</summary>
    Fill,

    /// <summary>A product by cuBLASLt: both operands, addend, result, workspace.</summary>
    Product,
}

/// <summary>One piece of work for the stream, without its arguments.</summary>
/// <param name="Kernel">Null for other commands than kernels.</param>
/// <param name="SharedBytes">Dynamic shared memory of a block.</param>
/// <param name="Product">Null for other commands than products.</param>
internal readonly record struct Command(
    CommandKind Kind, Kernel? Kernel = null, (long X, int Y, int Z) Grid = default, int SharedBytes = 0, LtProduct? Product = null)
{
    /// <summary>Whether the other differs in numbers only, which a graph can change.</summary>
    public bool IsVariantOf(in Command other) => Kind == other.Kind && ReferenceEquals(Kernel, other.Kernel);
}
