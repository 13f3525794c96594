using QApollo.Cuda.Driver;
using QApollo.Cuda.Tests.Simt;
using QApollo.Devices;
using Xunit;

namespace QApollo.Cuda.Tests.Driver;

/// <summary>Cards and drivers that cannot be used: each has its own line, with what to do.</summary>
public sealed class CudaDriverSimtTests : IDisposable
{
    private readonly SimtCopy _simt = new();

    [Fact]
    public void Without_a_card()
    {
        _simt.Library.Claim(devices: 0);
        AssertRefused("the CUDA driver sees no NVIDIA GPU", "--device cpu");
    }

    [Fact]
    public void With_a_card_that_is_too_old()
    {
        _simt.Library.Claim(major: 7, minor: 5);
        AssertRefused("CPU emulation has compute capability 7.5; 8.0 or newer is needed");
    }

    [Fact]
    public void With_a_driver_that_is_too_old()
    {
        _simt.Library.Claim(driverVersion: 11020);
        AssertRefused("the NVIDIA driver supports CUDA 11.2; 11.8 or newer is needed: update the driver");
    }

    [Fact]
    public void With_a_number_that_no_card_has()
    {
        var exception = Assert.Throws<CudaException>(() => CudaDevice.Open(3, _simt.Path));
        Assert.Equal("there is no GPU 3: the driver sees 1, numbered from 0", exception.Message);
    }

    [Fact]
    public void Auto_takes_a_card_that_can_be_used()
    {
        Assert.Equal((0, null), (CudaSearch.Run(_simt.Path).Card!.Ordinal, CudaSearch.Run(_simt.Path).WhyNot));
    }

    [Theory]
    [InlineData(11080, 1, 7, "CPU emulation has compute capability 7.5; 8.0 or newer is needed (RTX 30 series, A100 and later)")]
    [InlineData(11020, 1, 8, "the NVIDIA driver supports CUDA 11.2; 11.8 or newer is needed: update the driver to 520 or newer")]
    [InlineData(11080, 0, 8, "the CUDA driver sees no NVIDIA GPU; check that one is built in and not hidden by CUDA_VISIBLE_DEVICES, or use --device cpu")]
    public void Auto_says_why_it_takes_none(int driverVersion, int devices, int major, string reason)
    {
        _simt.Library.Claim(driverVersion, devices, major, minor: 5);
        Assert.Equal(new CudaSearch(null, reason), CudaSearch.Run(_simt.Path));
    }

    [Fact]
    public void Auto_is_silent_without_a_driver()
    {
        Assert.Equal(new CudaSearch(null, null), CudaSearch.Run("/nowhere/libcuda.so"));
    }

    [Fact]
    public void With_less_memory_than_is_asked_for()
    {
        _simt.Library.Claim(memoryBytes: 1 << 30);
        using CudaDevice device = CudaDevice.Open(driverLibrary: _simt.Path);
        nint first = device.Allocate(MemorySpace.Device, 600 << 20);
        var exception = Assert.ThrowsAny<OutOfMemoryException>(() => device.Allocate(MemorySpace.Device, 500 << 20));
        Assert.Contains("500.00 MiB of device memory were asked for; CPU emulation has 424.00 MiB of 1.00 GiB free", exception.Message, StringComparison.Ordinal);
        device.Free(MemorySpace.Device, first);
        Assert.Equal((1L << 30, 1L << 30), device.MemoryInfo());
    }

    /// <summary>libtorch computes on it, and is to be given a budget there.</summary>
    [Fact]
    public void The_free_memory_of_a_card_that_is_too_old_for_our_kernels_is_told()
    {
        _simt.Library.Claim(major: 7, minor: 5, memoryBytes: 1 << 30);
        Assert.Equal((1L << 30) + new CudaProfile().ContextBytes, CudaCard.FreeBytes(0, _simt.Path));
    }

    [Fact]
    public void A_failed_launch_says_which_kernel_and_what_the_driver_says()
    {
        using CudaDevice device = _simt.Library.Open();
        var kernel = new Kernel("linear_forward", "no_such_kernel", 128, 0);
        using var context = new CudaContext(CudaDriver.Open(_simt.Path), device.Card);
        using var modules = new KernelModules(context);
        var exception = Assert.Throws<CudaException>(() => modules.Launch(kernel, (1, 1, 1), 0, 0, []));
        Assert.Contains("finding the kernel no_such_kernel failed", exception.Message, StringComparison.Ordinal);
        Assert.Contains("named symbol not found", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_left_behind()
    {
        CudaDevice device = _simt.Library.Open();
        Tensor tensor = new(device.Allocate(MemorySpace.Device, 1 << 16), DType.F32, 1, 100);
        device.Fill(tensor, 1f);
        device.AwaitTransfer(device.BeginTransfer(tensor, tensor with { Address = device.Allocate(MemorySpace.PinnedHost, 1 << 16) }));
        Assert.NotEqual(0, _simt.Library.LiveObjects());
        device.Dispose();
        device.Dispose();
        Assert.Equal(0, _simt.Library.LiveObjects());
        Assert.Throws<ObjectDisposedException>(() => device.Fill(tensor, 1f));
    }

    [Fact]
    public void Memory_of_another_device_is_not_freed()
    {
        using CudaDevice device = _simt.Library.Open();
        Assert.Throws<ArgumentException>(() => device.Free(MemorySpace.Device, 4096));
    }

    /// <summary>The emulator runs copies as late as it may, so a computation that does not wait sees old data.</summary>
    [Fact]
    public void A_transfer_is_complete_only_when_it_was_awaited()
    {
        using CudaDevice device = _simt.Library.Open();
        Tensor source = new(device.Allocate(MemorySpace.Device, 4096), DType.F32, 1, 100);
        Tensor target = source with { Address = device.Allocate(MemorySpace.Device, 4096) };
        device.Fill(source, 7f);
        byte[] bytes = new byte[400];
        Transfer transfer = device.BeginTransfer(source, target);
        device.Download(target, bytes);
        Assert.Equal(0f, BitConverter.ToSingle(bytes));
        device.AwaitTransfer(transfer);
        device.Download(target, bytes);
        Assert.Equal(7f, BitConverter.ToSingle(bytes));
    }

    [Fact]
    public void Any_thread_may_call()
    {
        using CudaDevice device = _simt.Library.Open();
        Tensor tensor = new(device.Allocate(MemorySpace.Device, 4096), DType.F32, 1, 100);
        var thread = new Thread(() => device.Fill(tensor, 3f));
        thread.Start();
        thread.Join();
        byte[] bytes = new byte[400];
        device.Download(tensor, bytes);
        Assert.Equal(3f, BitConverter.ToSingle(bytes));
    }

    public void Dispose() => _simt.Dispose();

    private void AssertRefused(params string[] parts)
    {
        var exception = Assert.Throws<CudaException>(() => CudaDevice.Open(driverLibrary: _simt.Path));
        Assert.All(parts, part => Assert.Contains(part, exception.Message, StringComparison.Ordinal));
    }
}
