using QApollo.Devices;

namespace QApollo.Models;

/// <summary>Layers that stay in device memory.</summary>
public sealed class DeviceLayers : LayerStore
{
    public override void BeginPass(IDevice device)
    {
    }

    public override void Use(IDevice device, int layer, int direction)
    {
    }

    public override void Advance(IDevice device, int part, int parts)
    {
    }

    public override void Changed(int layer)
    {
    }

    public override void EndPass(IDevice device)
    {
    }

    public override void Fetch(IDevice device, Weight weight)
    {
    }

    public override void BeginWrite(IDevice device, Weight weight)
    {
    }

    public override void EndWrite(IDevice device, Weight weight)
    {
    }
}
