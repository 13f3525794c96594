using QApollo.Cpu.Gemm;
using QApollo.Devices;
using QApollo.TestSupport.Contract;

namespace QApollo.Cpu.Tests.Operations;

#pragma warning disable CA1001 // The contract's base class is disposed by the test runner; each device lives as long as its test.

public sealed class LinearAvx512Tests : LinearContract
{
    protected override IDevice Device { get; } = new CpuDevice(2, Microkernel.Avx512);
}

public sealed class LinearAvx2Tests : LinearContract
{
    protected override IDevice Device { get; } = new CpuDevice(2, Microkernel.Avx2);
}

public sealed class LinearPortableTests : LinearContract
{
    protected override IDevice Device { get; } = new CpuDevice(2, Microkernel.Portable);
}

public sealed class AttentionAvx512Tests : AttentionContract
{
    protected override IDevice Device { get; } = new CpuDevice(2, Microkernel.Avx512);
}

public sealed class AttentionAvx2Tests : AttentionContract
{
    protected override IDevice Device { get; } = new CpuDevice(2, Microkernel.Avx2);
}

public sealed class AttentionPortableTests : AttentionContract
{
    protected override IDevice Device { get; } = new CpuDevice(2, Microkernel.Portable);
}

public sealed class NormTests : NormContract
{
    protected override IDevice Device { get; } = new CpuDevice(2);
}

public sealed class BiasTests : BiasContract
{
    protected override IDevice Device { get; } = new CpuDevice(2);
}

public sealed class PlacementTests : PlacementContract
{
    protected override IDevice Device { get; } = new CpuDevice(2);
}

public sealed class RotaryTests : RotaryContract
{
    protected override IDevice Device { get; } = new CpuDevice(2);
}

public sealed class SwiGluTests : SwiGluContract
{
    protected override IDevice Device { get; } = new CpuDevice(2);
}

public sealed class CrossEntropyTests : CrossEntropyContract
{
    protected override IDevice Device { get; } = new CpuDevice(2);
}

public sealed class EmbeddingTests : EmbeddingContract
{
    protected override IDevice Device { get; } = new CpuDevice(2);
}

public sealed class MemoryTests : MemoryContract
{
    protected override IDevice Device { get; } = new CpuDevice(2);
}

public sealed class ReductionTests : ReductionContract
{
    protected override IDevice Device { get; } = new CpuDevice(2);
}

public sealed class NormalTests : NormalContract
{
    protected override IDevice Device { get; } = new CpuDevice(2);
}

public sealed class ApolloTests : ApolloContract
{
    protected override IDevice Device { get; } = new CpuDevice(2);
}

public sealed class NormalizationTests : NormalizationContract
{
    protected override IDevice Device { get; } = new CpuDevice(2);
}

public sealed class AdamTests : AdamContract
{
    protected override IDevice Device { get; } = new CpuDevice(2);
}

public sealed class QuantizeTests : QuantizeContract
{
    protected override IDevice Device { get; } = new CpuDevice(2);
}

public sealed class RowCodeTests : RowCodeContract
{
    protected override IDevice Device { get; } = new CpuDevice(2);
}

public sealed class UpdateTests : UpdateContract
{
    protected override IDevice Device { get; } = new CpuDevice(2);
}
