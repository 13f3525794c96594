using QApollo.Cuda.Tests.Simt;
using QApollo.Devices;
using QApollo.TestSupport.Contract;

namespace QApollo.Cuda.Tests.Operations;

public sealed class LinearSimtTests : LinearContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<LinearSimtTests>();
}

public sealed class AttentionSimtTests : AttentionContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<AttentionSimtTests>();
}

public sealed class NormSimtTests : NormContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<NormSimtTests>();
}

public sealed class BiasSimtTests : BiasContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<BiasSimtTests>();
}

public sealed class PlacementSimtTests : PlacementContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<PlacementSimtTests>();
}

public sealed class RotarySimtTests : RotaryContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<RotarySimtTests>();
}

public sealed class SwiGluSimtTests : SwiGluContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<SwiGluSimtTests>();
}

public sealed class CrossEntropySimtTests : CrossEntropyContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<CrossEntropySimtTests>();
}

public sealed class EmbeddingSimtTests : EmbeddingContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<EmbeddingSimtTests>();
}

public sealed class MemorySimtTests : MemoryContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<MemorySimtTests>();
}

public sealed class NormalizationSimtTests : NormalizationContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<NormalizationSimtTests>();
}

public sealed class ReductionSimtTests : ReductionContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<ReductionSimtTests>();
}

public sealed class NormalSimtTests : NormalContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<NormalSimtTests>();
}

public sealed class ApolloSimtTests : ApolloContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<ApolloSimtTests>();
}

public sealed class AdamSimtTests : AdamContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<AdamSimtTests>();
}

public sealed class QuantizeSimtTests : QuantizeContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<QuantizeSimtTests>();
}

public sealed class RowCodeSimtTests : RowCodeContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<RowCodeSimtTests>();
}

public sealed class UpdateSimtTests : UpdateContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<UpdateSimtTests>();
}
