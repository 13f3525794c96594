using QApollo.Devices;
using QApollo.Files;

namespace QApollo.Models;

/// <summary>
/// Keeps the matrices of the layers between their uses. A pass goes through the layers one after the other, up or down; where
/// they wait is the store's business: the pass reads the same with either store.
/// </summary>
public abstract class LayerStore
{
    /// <summary>A pass begins. Forgets what is on the device: weights may have been loaded since.</summary>
    public abstract void BeginPass(IDevice device);

    /// <summary>The layer's matrices are on the device for the operations that follow; those of the next layers are to come.</summary>
    /// <param name="direction">1 when the pass goes on with the layer after it, -1 with the one before.</param>
    public abstract void Use(IDevice device, int layer, int direction);

    /// <summary>
    /// Begins the next share of the copies that are due while a layer is used, beside the operations that follow. Called
    /// once per part: so smaller copies that the pass waits for come in between.
    /// </summary>
    public abstract void Advance(IDevice device, int part, int parts);

    /// <summary>The layer in use was updated.</summary>
    public abstract void Changed(int layer);

    /// <summary>The pass is over: all that it changed is where it lives, for operations that follow.</summary>
    public abstract void EndPass(IDevice device);

    /// <summary>Copies host memory to part of a weight's tensor where it lives, between passes.</summary>
    public virtual void Upload(IDevice device, ReadOnlySpan<byte> source, Tensor destination) => device.Upload(source, destination);

    /// <summary>Copies part of a weight's tensor from where it lives, between passes.</summary>
    public virtual void Download(IDevice device, Tensor source, Span<byte> destination) => device.Download(source, destination);

    /// <summary>Clears a weight's tensor where it lives, between passes.</summary>
    public virtual void Zero(IDevice device, Tensor tensor) => device.Zero(tensor);

    /// <summary>Says where layers that live on disk do so; once, before anything else.</summary>
    internal virtual void Attach(ScratchFile file) => throw new InvalidOperationException("these layers are in memory");

    /// <summary>Brings one weight to the device, between passes.</summary>
    public abstract void Fetch(IDevice device, Weight weight);

    /// <summary>Gives one weight memory on the device, between passes, to be written whole.</summary>
    public abstract void BeginWrite(IDevice device, Weight weight);

    /// <summary>The weight is written: it goes where it lives.</summary>
    public abstract void EndWrite(IDevice device, Weight weight);
}
