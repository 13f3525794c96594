using System.Runtime.InteropServices;

namespace QApollo.Cuda.Driver;

/// <summary>The driver, initialized: its table of functions, and the one place where a status becomes a message.</summary>
internal sealed unsafe class CudaDriver
{
    private const int NoDevice = 100;

    private CudaDriver(DriverTable table) => Table = table;

    public DriverTable Table { get; }

    /// <exception cref="CudaException">No driver, no device, or a driver that does not start.</exception>
    public static CudaDriver Open(string? libraryPath = null) => Open(DriverLibrary.Load(libraryPath));

    /// <exception cref="CudaException">No device, or a driver that does not start.</exception>
    public static CudaDriver Open(nint library)
    {
        var driver = new CudaDriver(new DriverTable(library));
        driver.Initialize();
        return driver;
    }

    /// <summary>The driver before its first call.</summary>
    /// <exception cref="CudaException">There is none.</exception>
    public static CudaDriver Load(string? libraryPath) => new(new DriverTable(DriverLibrary.Load(libraryPath)));

    /// <exception cref="CudaException">No device, or the driver does not start.</exception>
    public void Initialize()
    {
        int status = Table.Init(0);
        if (status == NoDevice)
        {
            throw new CudaException("the CUDA driver sees no NVIDIA GPU; check that one is built in and not hidden by CUDA_VISIBLE_DEVICES, or use --device cpu", status);
        }

        Check(status, "cuInit");
    }

    /// <summary>The newest CUDA version that the driver supports: 11080 is 11.8.</summary>
    public int Version()
    {
        int version;
        Check(Table.DriverGetVersion(&version), "cuDriverGetVersion");
        return version;
    }

    public int CardCount()
    {
        int count;
        Check(Table.DeviceGetCount(&count), "cuDeviceGetCount");
        return count;
    }

    /// <summary>Throws when the status of <paramref name="call"/> is not success.</summary>
    /// <exception cref="CudaException">The call, the driver's name and text of the status, and what to do.</exception>
    public void Check(int status, string call)
    {
        if (status != 0)
        {
            throw new CudaException(Describe(status, call), status);
        }
    }

    private string Describe(int status, string call)
    {
        byte* name = null;
        byte* text = null;
        Table.GetErrorName(status, &name);
        Table.GetErrorString(status, &text);
        string advice = Advice(status) is { } known ? $"; {known}" : "";
        return $"{call} failed: {Text(name)} ({status}): {Text(text)}{advice}";
    }

    private static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "unknown status";

    /// <summary>What a user can do about a CUresult, where anything is known.</summary>
    private static string? Advice(int status) => status switch
    {
        2 => "close other programs that use the GPU, or give a smaller --budget",
        3 or 4 => "the driver was shut down; start the program again",
        46 => "the GPU is in exclusive use by another process; end it, or choose another GPU with --device cuda:n",
        218 or 222 => "the driver is older than the program's kernels; update the NVIDIA driver to 520 or newer",
        209 => "the kernels have no code for this GPU; compute capability 8.0 (RTX 30 series) or newer is needed",
        304 or 803 or 999 => "driver library and kernel module do not match; restart the machine after a driver update",
        702 => "the kernel ran too long for a GPU that drives a display; use a smaller micro-batch, or raise the time limit",
        700 or 714 or 716 or 717 or 719 => "this is a fault of the program: please report it with the command line",
        _ => null,
    };
}
