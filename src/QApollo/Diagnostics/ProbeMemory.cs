using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Diagnostics;

/// <summary>One allocation of a device, cut into the tensors of a kernel check, with the same values on every device.</summary>
internal sealed class ProbeMemory : IDisposable
{
    private const int Bytes = 48 << 20;

    private readonly nint _base;
    private int _used;

    public ProbeMemory(IDevice device)
    {
        Device = device;
        _base = device.Allocate(MemorySpace.Device, Bytes);
    }

    public IDevice Device { get; }

    public Tensor Empty(DType dtype, int rows, int columns)
    {
        var tensor = new Tensor(_base + _used, dtype, rows, columns);
        int alignment = Device.Profile.Alignment;
        _used += (int)((tensor.Bytes + alignment - 1) / alignment * alignment);
        return _used <= Bytes ? tensor : throw new InvalidOperationException("the memory of the kernel checks is full");
    }

    public Tensor Zeros(DType dtype, int rows, int columns)
    {
        Tensor tensor = Empty(dtype, rows, columns);
        Device.Zero(tensor);
        return tensor;
    }

    /// <summary>An activation without values.</summary>
    public Tensor EmptyActivation(int rows, int columns) => Empty(Device.Profile.ActivationDType, rows, columns);

    /// <summary>Values from -1 to 1 that BF16 holds exactly, in the device's activation dtype.</summary>
    public Tensor Activation(int rows, int columns, int seed) => Values(Device.Profile.ActivationDType, rows, columns, seed);

    /// <summary>Values from -1 to 1 that BF16 holds exactly.</summary>
    public Tensor Values(DType dtype, int rows, int columns, int seed)
    {
        var random = new Random(seed);
        var values = new float[(long)rows * columns];
        foreach (ref float value in values.AsSpan())
        {
            value = BFloat.ToSingle(BFloat.FromSingle((random.NextSingle() * 2) - 1));
        }

        Tensor tensor = Empty(dtype, rows, columns);
        Device.Upload(
            dtype == DType.F32 ? MemoryMarshal.AsBytes<float>(values) : MemoryMarshal.AsBytes<ushort>(Array.ConvertAll(values, BFloat.FromSingle)), tensor);
        return tensor;
    }

    public Tensor Integers(ReadOnlySpan<int> values)
    {
        Tensor tensor = Empty(DType.I32, 1, values.Length);
        Device.Upload(MemoryMarshal.AsBytes(values), tensor);
        return tensor;
    }

    /// <summary>An INT8 matrix in groups of 32.</summary>
    public WeightMatrix Weight(int rows, int columns, int seed)
    {
        const int GroupSize = 32;
        int groups = WeightMatrix.GroupsPerRow(columns, GroupSize);
        var weight = new WeightMatrix(Empty(DType.U8, rows, columns), Empty(DType.BF16, rows, groups), Empty(DType.U8, rows, groups), GroupSize);
        Device.Quantize(Values(DType.F32, rows, columns, seed), weight);
        return weight;
    }

    /// <summary>Gives the device scratch memory for a step of these sizes.</summary>
    public void UseWorkspace(in WorkspaceRequest request) =>
        Device.UseWorkspace(Empty(DType.U8, 1, checked((int)Device.Profile.WorkspaceBytes(request))));

    /// <summary>All values, one tensor after the other.</summary>
    public float[] Read(params ReadOnlySpan<Tensor> tensors)
    {
        var all = new List<float>();
        foreach (Tensor tensor in tensors)
        {
            var bytes = new byte[tensor.Bytes];
            Device.Download(tensor, bytes);
            all.AddRange(tensor.DType == DType.F32
                ? MemoryMarshal.Cast<byte, float>(bytes).ToArray()
                : Array.ConvertAll(MemoryMarshal.Cast<byte, ushort>(bytes).ToArray(), BFloat.ToSingle));
        }

        return [.. all];
    }

    public void Dispose() => Device.Free(MemorySpace.Device, _base);
}
