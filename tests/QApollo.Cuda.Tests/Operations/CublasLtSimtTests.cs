using QApollo.Cuda.Tests.Simt;
using QApollo.Devices;
using QApollo.TestSupport.Contract;

namespace QApollo.Cuda.Tests.Operations;

/// <summary>The products' contract with cuBLASLt, wherever the operands suit it.</summary>
public sealed class CublasLtSimtTests : LinearContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<CublasLtSimtTests>(Blas.CublasLtOptions.Always);
}
