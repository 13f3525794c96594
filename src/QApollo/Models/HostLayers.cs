using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Models;

/// <summary>Layers that wait in pinned host memory.</summary>
/// <param name="slots">2 to 4.</param>
public sealed class HostLayers(TensorTable table, LayerWeights[] layers, int slots) : StreamedLayers(table, layers, slots)
{
    private protected override void BeginFetch(IDevice device, Weight weight, int slot, int matrix, WeightTensors target, List<Transfer> begun) =>
        weight.Home.BeginTransfer(device, target, weight.Residuals is not null, begun);

    private protected override void BeginReturn(IDevice device, Weight weight, int matrix, WeightTensors source, List<Transfer> begun) =>
        source.BeginTransfer(device, weight.Home, weight.Residuals is not null, begun);
}
