using QApollo.Devices;

namespace QApollo.TestSupport.Contract;

/// <summary>
/// What every device must pass: each operation against a binary64 oracle. A device's test project derives a class from
/// each contract and supplies the device.
/// </summary>
public abstract class DeviceContract : IDisposable
{
    private DeviceMemory? _memory;

    /// <summary>The device under test; the same one for the whole test.</summary>
    protected abstract IDevice Device { get; }

    protected DeviceMemory Memory => _memory ??= new DeviceMemory(Device);

    /// <summary>Rounding of one value of the activation dtype, with room for the sums that lead to it.</summary>
    protected double Relative => RelativeOf(Device.Profile.ActivationDType);

    protected static double RelativeOf(DType dtype) => dtype == DType.F32 ? 4e-6 : 1.2e-2;

    /// <summary>Asserts an output against the oracle.</summary>
    /// <param name="magnitude">The typical size of what is summed up: the scale of absolute errors.</param>
    protected void AssertClose(Tensor actual, double[] expected, double magnitude, string what)
    {
        double relative = Math.Max(Relative, RelativeOf(actual.DType));
        Compare.AllClose(Memory.Floats(actual), expected, magnitude * relative, relative, what);
    }

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            _memory?.Dispose();
        }
    }
}
