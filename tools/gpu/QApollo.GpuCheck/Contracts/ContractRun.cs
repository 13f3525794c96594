using System.Reflection;
using QApollo.Cuda.Driver;
using QApollo.Devices;
using QApollo.TestSupport.Contract;

namespace QApollo.GpuCheck.Contracts;

/// <summary>Runs cases one after the other and keeps what failed.</summary>
internal sealed class ContractRun
{
    private readonly IDevice _device;
    private readonly Tensor _workspace;
    private readonly List<(string Case, string Message)> _failures = [];

    public ContractRun(IDevice device)
    {
        _device = device;
        int bytes = checked((int)device.Profile.WorkspaceBytes(new WorkspaceRequest(default, 8192, 65536)));
        if (bytes > 0)
        {
            _workspace = new Tensor(device.Allocate(MemorySpace.Device, bytes), DType.U8, 1, bytes);
        }
    }

    public int Cases { get; private set; }

    public IReadOnlyList<(string Case, string Message)> Failures => _failures;

    /// <summary>After a fault of the driver: it answers every later call with the same error.</summary>
    public bool IsStopped { get; private set; }

    public void Run(ContractCase test)
    {
        Cases++;
        try
        {
            // An earlier case may have given the device a workspace that is gone by now.
            _device.UseWorkspace(_workspace);
            using DeviceContract contract = test.Contract.Create(_device);
            test.Method.Invoke(contract, BindingFlags.DoNotWrapExceptions, binder: null, test.Arguments, culture: null);
        }
        catch (CudaException exception)
        {
            Fail(test, exception);
            IsStopped = true;
        }
#pragma warning disable CA1031 // Whatever a test throws is its result.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Fail(test, exception);
        }
    }

    private void Fail(ContractCase test, Exception exception)
    {
        _failures.Add((test.Name, exception.Message));
        Console.Error.WriteLine($"failed: {test.Name}: {exception.Message}");
    }
}
