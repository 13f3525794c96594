using System.Runtime.InteropServices;
using QApollo.Devices;

namespace QApollo.Cuda.Tests.Simt;

/// <summary>In which order the emulator runs the ready threads of a block.</summary>
internal enum RunOrder
{
    Ascending,
    Descending,
    Shuffled,
}

/// <summary>The emulator: the CUDA device over kernels that g++ compiled, and what only the emulator can be told.</summary>
internal sealed unsafe class SimtLibrary(string path)
{
    private readonly nint _handle = NativeLibrary.Load(path);

    public static SimtLibrary Default { get; } = new(Repository.SimtLibrary);

    /// <summary>A device with a workspace of its own.</summary>
    public CudaDevice Open(CudaOptions? options = null)
    {
        CudaDevice device = CudaDevice.Open(driverLibrary: path, options: options);
        device.UseWorkspace(AllocateWorkspace(device));
        return device;
    }

    /// <summary>The device of one test class; classes run beside each other, the tests of a class do not.</summary>
    /// <param name="options">The same at every call.</param>
    public static CudaDevice For<TTests>(CudaOptions? options = null) => PerClass<TTests>.Open(options);

    /// <summary>The order of all launches that this thread makes from now on.</summary>
    public void SetOrder(RunOrder order) => ((delegate* unmanaged<int, int>)Export("simt_set_order"))((int)order);

    /// <summary>What the emulated driver and card claim to be, until the next call.</summary>
    public void Claim(int driverVersion = 11080, int devices = 1, int major = 8, int minor = 6, long memoryBytes = 8L << 30) =>
        ((delegate* unmanaged<int, int, int, int, ulong, int>)Export("simt_claim"))(driverVersion, devices, major, minor, (ulong)memoryBytes);

    /// <summary>Contexts, modules, streams, events and allocations that exist.</summary>
    public int LiveObjects() => ((delegate* unmanaged<int>)Export("simt_live_objects"))();

    /// <summary>Kernels launched one by one, graphs launched, and kernels changed in graphs, since the library was loaded.</summary>
    public (int Launches, int GraphLaunches, int GraphUpdates) Counts()
    {
        int launches, graphLaunches, graphUpdates;
        ((delegate* unmanaged<int*, int*, int*, int>)Export("simt_counts"))(&launches, &graphLaunches, &graphUpdates);
        return (launches, graphLaunches, graphUpdates);
    }

    /// <summary>Products that the emulated cuBLASLt was asked for, and its handles that exist.</summary>
    public (int Products, int Handles) CublasLt()
    {
        int handles;
        int products = ((delegate* unmanaged<int*, int>)Export("simt_products"))(&handles);
        return (products, handles);
    }

    /// <summary>The library itself, which is the emulated driver, cuBLASLt and NCCL in one.</summary>
    public string Path => path;

    /// <summary>The virtual time of a product of a million multiplications; a kernel takes one millisecond.</summary>
    public void SetProductCost(double milliseconds) => ((delegate* unmanaged<double, int>)Export("simt_set_product_cost"))(milliseconds);

    /// <summary>The virtual speed of copies in bytes per millisecond; 0 for a millisecond each.</summary>
    public void SetCopySpeed(double bytesPerMillisecond) => ((delegate* unmanaged<double, int>)Export("simt_set_copy_speed"))(bytesPerMillisecond);

    /// <summary>Bytes of page-locked memory that the system gives at once.</summary>
    public void SetLockedLimit(long bytes) => ((delegate* unmanaged<nuint, int>)Export("simt_set_locked_limit"))((nuint)bytes);

    /// <summary>Names and block sizes of all kernels.</summary>
    public IReadOnlyDictionary<string, int> Kernels()
    {
        var kernels = new Dictionary<string, int>();
        int count = ((delegate* unmanaged<int>)Export("simt_kernel_count"))();
        for (int i = 0; i < count; i++)
        {
            byte* name;
            int threads;
            ((delegate* unmanaged<int, byte**, int*, int>)Export("simt_kernel"))(i, &name, &threads);
            kernels.Add(Marshal.PtrToStringUTF8((nint)name)!, threads);
        }

        return kernels;
    }

    private static Tensor AllocateWorkspace(CudaDevice device)
    {
        long bytes = device.Profile.WorkspaceBytes(new WorkspaceRequest(default, 8192, 65536));
        return new Tensor(device.Allocate(MemorySpace.Device, bytes), DType.U8, 1, (int)bytes);
    }

    private nint Export(string name) => NativeLibrary.GetExport(_handle, name);

    private static class PerClass<TTests>
    {
        private static CudaDevice? s_device;
        private static Tensor s_workspace;

        public static CudaDevice Open(CudaOptions? options)
        {
            if (s_device is null)
            {
                s_device = CudaDevice.Open(driverLibrary: Repository.SimtLibrary, options: options);
                s_workspace = AllocateWorkspace(s_device);
            }

            // An earlier test of the class may have given the device memory that is gone by now.
            s_device.UseWorkspace(s_workspace);
            return s_device;
        }
    }
}
