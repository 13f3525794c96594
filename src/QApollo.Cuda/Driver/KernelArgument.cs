using System.Runtime.CompilerServices;
using QApollo.Devices;

namespace QApollo.Cuda.Driver;

/// <summary>One argument of a kernel in an 8-byte slot; the driver reads as many bytes as the parameter has.</summary>
internal readonly struct KernelArgument
{
    private readonly long _slot;

    private KernelArgument(long slot) => _slot = slot;

    /// <summary>An address or a whole number; a float's bits.</summary>
    public long Bits => _slot;

    /// <summary>An address; null for an absent tensor.</summary>
    public static implicit operator KernelArgument(Tensor tensor) => new(tensor.Address);

    public static implicit operator KernelArgument(nint address) => new(address);

    public static implicit operator KernelArgument(long value) => new(value);

    public static implicit operator KernelArgument(int value) => new(value);

    public static implicit operator KernelArgument(uint value) => new(value);

    public static implicit operator KernelArgument(bool value) => new(value ? 1 : 0);

    public static implicit operator KernelArgument(float value) => new(Unsafe.BitCast<float, uint>(value));
}
