using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Training;

/// <summary>
/// Keeps the tensors between layers, [N, H] per micro-batch, from the forward to the backward pass. Boundary l is the
/// input of layer l; the one after the last layer is its output, and later carries the gradient down. Where they wait, and in
/// how many bits, is the store's business: the step reads the same with any store.
/// </summary>
public abstract class BoundaryStore
{
    /// <summary>Forgets the boundaries of the step before.</summary>
    public virtual void Begin(IDevice device)
    {
    }

    /// <summary>As the other one, for a step whose layer inputs will be read again.</summary>
    public virtual void Begin(IDevice device, in BoundaryRounding rounding) => Begin(device);

    /// <summary>Device memory with the boundary's content; valid until three more boundaries were asked for.</summary>
    public abstract Tensor Read(IDevice device, int boundary, int microBatch);

    /// <summary>Says that a boundary will be read soon. Nothing happens for a micro-batch that is not in the step.</summary>
    public abstract void Prefetch(IDevice device, int boundary, int microBatch);

    /// <summary>As <see cref="Read"/>, in the backward pass: a layer's input as it was kept. Valid until another one is read.</summary>
    public virtual Tensor ReadKept(IDevice device, int layer, int microBatch) => Read(device, layer, microBatch);

    /// <summary>As <see cref="Prefetch"/>, for <see cref="ReadKept"/>.</summary>
    public virtual void PrefetchKept(IDevice device, int layer, int microBatch) => Prefetch(device, layer, microBatch);

    /// <summary>Device memory to write a boundary into; may be that of the one before.</summary>
    public abstract Tensor BeginWrite(IDevice device, int boundary, int microBatch);

    /// <summary>The boundary is written, or changed in place after <see cref="Read"/>.</summary>
    public abstract void EndWrite(IDevice device, int boundary, int microBatch);

    /// <summary>The store that the options ask for; declares its tensors in the table.</summary>
    /// <param name="boundaries">The layers' inputs, and what comes after them.</param>
    /// <exception cref="UsageException">The format is wider than what the device computes.</exception>
    public static BoundaryStore Create(TensorTable table, TrainingOptions options, DeviceProfile profile, int boundaries)
    {
        MemoryOptions memory = options.Memory;
        DType computed = profile.ActivationDType;
        if (memory.BoundaryFormat == BoundaryFormat.F32 && computed == DType.BF16)
        {
            throw new UsageException($"--boundary-dtype f32: {profile.Name} computes them in bf16; take bf16 or int8");
        }

        return KeptBytes(memory, profile) == computed.Size()
            ? Create(table, memory.Boundaries, new BoundaryTensors("boundary", boundaries, options.Model.HiddenSize, options.Shape, computed))
            : new CompressedBoundaries(table, options, computed, boundaries);
    }

    /// <summary>Bytes of a value that is kept, a token's scale aside.</summary>
    internal static int KeptBytes(MemoryOptions memory, DeviceProfile profile) => memory.BoundaryFormat switch
    {
        BoundaryFormat.Int8 => 1,
        BoundaryFormat.BF16 => 2,
        _ => profile.ActivationDType.Size(),
    };

    internal static BoundaryStore Create(TensorTable table, MemorySpace space, in BoundaryTensors tensors) =>
        space == MemorySpace.Device ? new DeviceBoundaries(table, tensors) : new HostBoundaries(table, tensors);
}

/// <summary>Names the random numbers by which a step's layer inputs are rounded.</summary>
/// <param name="Update">Number of the step: 1, 2, ...</param>
/// <param name="FirstToken">Number of the first token of this rank's first micro-batch among the tokens of all ranks.</param>
public readonly record struct BoundaryRounding(ulong Seed, uint Update, long FirstToken);

/// <summary>Tensors of a store: one for each boundary, a row for each token.</summary>
/// <param name="Name">"boundary": they are boundary.0, boundary.1, ...</param>
/// <param name="Columns">Elements of a row.</param>
internal readonly record struct BoundaryTensors(string Name, int Boundaries, int Columns, StepShape Shape, DType DType)
{
    /// <summary>Declares them; their rows are those of all micro-batches.</summary>
    public PlannedTensor[] Declare(TensorTable table, MemorySpace space)
    {
        var tensors = new PlannedTensor[Boundaries];
        for (int boundary = 0; boundary < Boundaries; boundary++)
        {
            tensors[boundary] = table.Transient($"{Name}.{boundary}", DType, Shape.TokensPerStep, Columns, TensorCategory.Boundaries, space);
        }

        return tensors;
    }
}
