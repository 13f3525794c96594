namespace QApollo.Devices;

/// <summary>
/// What the memory plan must know of a device, available without the device itself: dtypes, alignment, and the
/// sizes of the scratch buffers that its operations ask for.
/// </summary>
public abstract class DeviceProfile
{
    /// <summary>Short name as `--device` takes it: cpu, cuda.</summary>
    public abstract string Name { get; }

    /// <summary>Element type of activations and of the gradients that flow between layers.</summary>
    public abstract DType ActivationDType { get; }

    /// <summary>Element type of logits and their gradient.</summary>
    public abstract DType LogitDType { get; }

    /// <summary>Every tensor starts at a multiple of this many bytes; a power of two.</summary>
    public virtual int Alignment => 256;

    /// <summary>Bytes that the driver keeps for itself on the device, beside the arena; planned, then measured.</summary>
    public virtual long ContextBytes => 0;

    /// <summary>An allowance for the program's own host memory: .NET, code, buffers for files, libraries of the device.</summary>
    public virtual long HostRuntimeBytes => 128L << 20;

    /// <summary>Device memory is the host's own: nothing is gained by moving tensors from one to the other.</summary>
    public virtual bool ComputesInHostMemory => false;

    /// <summary>
    /// Bytes of the expansion of a matrix [outFeatures, inFeatures] for one use, 0 where the device multiplies
    /// straight from the stored form. See <see cref="IDevice.ExpandWeight"/>.
    /// </summary>
    public abstract long ExpandedWeightBytes(int outFeatures, int inFeatures, WeightUse use);

    /// <summary>Whether one expansion of a matrix serves both of its uses; <see cref="ExpandedWeightBytes"/> is the same for both then.</summary>
    public virtual bool SharesExpansions => false;

    /// <summary>Bytes of the scratch memory handed to <see cref="IDevice.UseWorkspace"/> for a step of this shape.</summary>
    public abstract long WorkspaceBytes(in WorkspaceRequest request);
}

/// <summary>The sizes that an operation's scratch memory can depend on.</summary>
/// <param name="Attention">The largest attention of the step.</param>
/// <param name="HiddenSize">Model width: the widest row that a norm sees.</param>
/// <param name="MaxFeatures">The largest matrix dimension that a product sees: intermediate size, or vocabulary.</param>
public readonly record struct WorkspaceRequest(AttentionShape Attention, int HiddenSize, int MaxFeatures);
