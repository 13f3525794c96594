using System.Runtime.InteropServices;
using QApollo.Cuda.Driver;
using Xunit;

namespace QApollo.Cuda.Tests.Driver;

public class DriverLibraryTests
{
    [Fact]
    public void A_library_that_is_not_there_is_named()
    {
        var exception = Assert.Throws<CudaException>(() => CudaDevice.Open(driverLibrary: "/nowhere/libcuda.so"));
        Assert.Equal("no CUDA driver: /nowhere/libcuda.so could not be loaded", exception.Message);
    }

    [Fact]
    public void A_library_that_is_no_driver_is_called_too_old()
    {
        string other = OperatingSystem.IsWindows() ? "kernel32.dll" : "libc.so.6";
        var exception = Assert.Throws<CudaException>(() => CudaDevice.Open(driverLibrary: other));
        Assert.Contains("lacks cuInit", exception.Message, StringComparison.Ordinal);
    }

    [WithoutDriverFact]
    public void Without_a_driver()
    {
        var exception = Assert.Throws<CudaException>(() => CudaDevice.Open());
        Assert.Contains("no CUDA driver", exception.Message, StringComparison.Ordinal);
        Assert.Contains("install the NVIDIA display driver, or use --device cpu", exception.Message, StringComparison.Ordinal);
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class WithoutDriverFactAttribute : FactAttribute
    {
        public WithoutDriverFactAttribute()
        {
            if (NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1", out _))
            {
                Skip = "a CUDA driver is installed on this machine";
            }
        }
    }
}
