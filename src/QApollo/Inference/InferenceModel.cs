using QApollo.Checkpoints;
using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Inference;

/// <summary>A model from disk on a device: one allocation, nothing else. Not thread-safe.</summary>
public sealed class InferenceModel : IDisposable
{
    private readonly Arena _arena;

    /// <summary>Plans, allocates, and loads the weights.</summary>
    /// <param name="weights">Of the model of <paramref name="options"/>.</param>
    /// <param name="device">Stays the caller's; must outlive the model.</param>
    /// <exception cref="InvalidFileException">The weights are damaged or do not fit their configuration.</exception>
    /// <exception cref="OutOfMemoryException">The device has less memory than the plan needs.</exception>
    public InferenceModel(IWeightSource weights, InferenceOptions options, IDevice device)
    {
        Device = device;
        Layout = new InferenceLayout(options, device.Profile);
        _arena = new Arena(device, Layout.Plan);
        try
        {
            if (Layout.Workspace is not null)
            {
                device.UseWorkspace(Layout.Workspace);
            }

            Layout.Rotary.Upload(device);
            weights.Load(device, Layout.Weights, Layout.WeightStaging);
        }
        catch
        {
            _arena.Dispose();
            throw;
        }
    }

    public IDevice Device { get; }

    public InferenceLayout Layout { get; }

    public void Dispose() => _arena.Dispose();
}
