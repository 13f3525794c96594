using QApollo.Devices;

namespace QApollo.Training;

/// <summary>
/// Keeps the tensors between layers, [N, H] per micro-batch, from the forward to the backward pass. Boundary l is the
/// input of layer l; the one after the last layer is its output, and later carries the gradient down. Where they wait
/// is the store's business: the step reads the same with either store.
/// </summary>
public abstract class BoundaryStore
{
    /// <summary>Forgets the boundaries of the step before.</summary>
    public abstract void Begin(IDevice device);

    /// <summary>Device memory with the boundary's content; valid until three more boundaries were asked for.</summary>
    public abstract Tensor Read(IDevice device, int boundary, int microBatch);

    /// <summary>Says that a boundary will be read soon. Nothing happens for a micro-batch that is not in the step.</summary>
    public abstract void Prefetch(IDevice device, int boundary, int microBatch);

    /// <summary>Device memory to write a boundary into.</summary>
    public abstract Tensor BeginWrite(IDevice device, int boundary, int microBatch);

    /// <summary>The boundary is written, or changed in place after <see cref="Read"/>.</summary>
    public abstract void EndWrite(IDevice device, int boundary, int microBatch);
}
