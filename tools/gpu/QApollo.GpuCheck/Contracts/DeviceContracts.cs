using System.Diagnostics.CodeAnalysis;
using QApollo.Devices;
using QApollo.TestSupport.Contract;

namespace QApollo.GpuCheck.Contracts;

/// <summary>A contract over a device that is chosen when the program runs.</summary>
/// <param name="Name">The contract's class without its ending: "Linear".</param>
internal sealed record DeviceContractEntry(
    string Name,
    [param: DynamicallyAccessedMembers(DeviceContractEntry.Members)]
    [property: DynamicallyAccessedMembers(DeviceContractEntry.Members)]
    Type Type,
    Func<IDevice, DeviceContract> Create)
{
    /// <summary>Tests, and the data of theories: what trimming must leave.</summary>
    private const DynamicallyAccessedMemberTypes Members = DynamicallyAccessedMemberTypes.PublicMethods | DynamicallyAccessedMemberTypes.PublicProperties;
}

/// <summary>All contracts of tests/QApollo.TestSupport.</summary>
internal static class DeviceContracts
{
    public static IReadOnlyList<DeviceContractEntry> All { get; } =
    [
        new("Memory", typeof(MemoryContract), device => new OfMemory(device)),
        new("Reduction", typeof(ReductionContract), device => new OfReduction(device)),
        new("Normal", typeof(NormalContract), device => new OfNormal(device)),
        new("Quantize", typeof(QuantizeContract), device => new OfQuantize(device)),
        new("RowCode", typeof(RowCodeContract), device => new OfRowCode(device)),
        new("Embedding", typeof(EmbeddingContract), device => new OfEmbedding(device)),
        new("Norm", typeof(NormContract), device => new OfNorm(device)),
        new("Bias", typeof(BiasContract), device => new OfBias(device)),
        new("Placement", typeof(PlacementContract), device => new OfPlacement(device)),
        new("Rotary", typeof(RotaryContract), device => new OfRotary(device)),
        new("SwiGlu", typeof(SwiGluContract), device => new OfSwiGlu(device)),
        new("CrossEntropy", typeof(CrossEntropyContract), device => new OfCrossEntropy(device)),
        new("Attention", typeof(AttentionContract), device => new OfAttention(device)),
        new("Linear", typeof(LinearContract), device => new OfLinear(device)),
        new("Apollo", typeof(ApolloContract), device => new OfApollo(device)),
        new("Adam", typeof(AdamContract), device => new OfAdam(device)),
        new("Normalization", typeof(NormalizationContract), device => new OfNormalization(device)),
        new("Update", typeof(UpdateContract), device => new OfUpdate(device)),
    ];

    private sealed class OfMemory(IDevice device) : MemoryContract
    {
        protected override IDevice Device { get; } = device;
    }

    private sealed class OfReduction(IDevice device) : ReductionContract
    {
        protected override IDevice Device { get; } = device;
    }

    private sealed class OfNormal(IDevice device) : NormalContract
    {
        protected override IDevice Device { get; } = device;
    }

    private sealed class OfQuantize(IDevice device) : QuantizeContract
    {
        protected override IDevice Device { get; } = device;
    }

    private sealed class OfRowCode(IDevice device) : RowCodeContract
    {
        protected override IDevice Device { get; } = device;
    }

    private sealed class OfEmbedding(IDevice device) : EmbeddingContract
    {
        protected override IDevice Device { get; } = device;
    }

    private sealed class OfNorm(IDevice device) : NormContract
    {
        protected override IDevice Device { get; } = device;
    }

    private sealed class OfBias(IDevice device) : BiasContract
    {
        protected override IDevice Device { get; } = device;
    }

    private sealed class OfPlacement(IDevice device) : PlacementContract
    {
        protected override IDevice Device { get; } = device;
    }

    private sealed class OfRotary(IDevice device) : RotaryContract
    {
        protected override IDevice Device { get; } = device;
    }

    private sealed class OfSwiGlu(IDevice device) : SwiGluContract
    {
        protected override IDevice Device { get; } = device;
    }

    private sealed class OfCrossEntropy(IDevice device) : CrossEntropyContract
    {
        protected override IDevice Device { get; } = device;
    }

    private sealed class OfAttention(IDevice device) : AttentionContract
    {
        protected override IDevice Device { get; } = device;
    }

    private sealed class OfLinear(IDevice device) : LinearContract
    {
        protected override IDevice Device { get; } = device;
    }

    private sealed class OfApollo(IDevice device) : ApolloContract
    {
        protected override IDevice Device { get; } = device;
    }

    private sealed class OfAdam(IDevice device) : AdamContract
    {
        protected override IDevice Device { get; } = device;
    }

    private sealed class OfNormalization(IDevice device) : NormalizationContract
    {
        protected override IDevice Device { get; } = device;
    }

    private sealed class OfUpdate(IDevice device) : UpdateContract
    {
        protected override IDevice Device { get; } = device;
    }
}
