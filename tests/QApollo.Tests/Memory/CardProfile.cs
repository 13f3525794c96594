using QApollo.Cpu;
using QApollo.Devices;

namespace QApollo.Tests.Memory;

/// <summary>The sizes of the CPU device on a device that has a memory of its own: what a card's planner decides can run here.</summary>
internal sealed class CardProfile : DeviceProfile
{
    private readonly CpuProfile _cpu = new(threads: 2);

    public override string Name => "card";

    public override DType ActivationDType => _cpu.ActivationDType;

    public override DType LogitDType => _cpu.LogitDType;

    public override long ExpandedWeightBytes(int outFeatures, int inFeatures, WeightUse use) => _cpu.ExpandedWeightBytes(outFeatures, inFeatures, use);

    public override long WorkspaceBytes(in WorkspaceRequest request) => _cpu.WorkspaceBytes(request);
}
