using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.TestSupport.Contract;

/// <summary>A tensor on the device, with the values that it holds after rounding to its element type.</summary>
public readonly record struct Operand(Tensor Tensor, double[] Values);

/// <summary>
/// One allocation of a device, cut into the tensors of a test, and the way to and from host arrays. Before the first tensor and behind each, from its
/// last byte on, lie guard bytes: an operation that writes there is told when the next result is read, one that reads there gets NaN.
/// </summary>
public sealed class DeviceMemory : IDisposable
{
    private const int GuardBytes = 1 << 10;

    /// <summary>A workspace has no shape that an overrun would follow.</summary>
    private const int WorkspaceGuardBytes = 1 << 16;

    /// <summary>All ones: NaN in every floating-point type.</summary>
    private const byte GuardByte = 0xFF;

    private readonly IDevice _device;
    private readonly nint _base;
    private readonly long _bytes;
    private readonly List<(Tensor Bytes, string Behind)> _guards = [];
    private readonly List<nint> _own = [];
    private byte[] _guardContent = [];
    private long _used;

    public DeviceMemory(IDevice device, long bytes = 192 << 20)
    {
        _device = device;
        _bytes = bytes;
        _base = device.Allocate(MemorySpace.Device, bytes);
        Guard("the place before the first tensor", GuardBytes);
    }

    /// <summary>A zeroed tensor.</summary>
    public Tensor Zeros(DType dtype, int rows, int columns) => Zeros(dtype, rows, columns, GuardBytes);

    private Tensor Zeros(DType dtype, int rows, int columns, int guardBytes)
    {
        var tensor = new Tensor(_base + (nint)_used, dtype, rows, columns);
        _used += tensor.Bytes;
        Guard($"{tensor}, the {_guards.Count}. tensor", guardBytes);
        return tensor;
    }

    /// <summary>Guards what follows, up to where a tensor may begin.</summary>
    private void Guard(string behind, int leastBytes)
    {
        int alignment = _device.Profile.Alignment;
        long end = (_used + leastBytes + alignment - 1) / alignment * alignment;
        if (end > _bytes)
        {
            throw new InvalidOperationException($"the test's device memory of {_bytes} bytes is full");
        }

        var guard = new Tensor(_base + (nint)_used, DType.U8, 1, (int)(end - _used));
        if (_guardContent.Length < guard.Columns)
        {
            _guardContent = new byte[guard.Columns];
            Array.Fill(_guardContent, GuardByte);
        }

        _device.Upload(_guardContent.AsSpan(0, guard.Columns), guard);
        _guards.Add((guard, behind));
        _used = end;
    }

    /// <summary>The first guard that was written to, for people; null: none was.</summary>
    private string? FindOverrun()
    {
        byte[] content = new byte[_guardContent.Length];
        foreach ((Tensor guard, string behind) in _guards)
        {
            Span<byte> bytes = content.AsSpan(0, guard.Columns);
            _device.Download(guard, bytes);
            int first = bytes.IndexOfAnyExcept(GuardByte);
            if (first >= 0)
            {
                return $"an operation wrote behind {behind}: bytes {first} to {bytes.LastIndexOfAnyExcept(GuardByte)} from its end on";
            }
        }

        return null;
    }

    /// <summary>A zeroed tensor of the activation dtype.</summary>
    public Tensor Activation(int rows, int columns) => Zeros(_device.Profile.ActivationDType, rows, columns);

    /// <summary>Gives the device its workspace, filled with NaN so that reading what was not written shows.</summary>
    public void UseWorkspace(in WorkspaceRequest request)
    {
        long bytes = _device.Profile.WorkspaceBytes(request);
        Tensor workspace = Zeros(DType.U8, 1, checked((int)bytes), WorkspaceGuardBytes);
        _device.Fill(new Tensor(workspace.Address, DType.F32, 1, (int)(bytes / 4)), float.NaN);
        _device.UseWorkspace(workspace);
    }

    public Operand Upload(double[] values, DType dtype, int rows, int columns)
    {
        Tensor tensor = Zeros(dtype, rows, columns);
        Write(tensor, values);
        return new Operand(tensor, Read(tensor));
    }

    public Operand Activation(double[] values, int rows, int columns) => Upload(values, _device.Profile.ActivationDType, rows, columns);

    /// <summary>The same bytes from an element behind the beginning of their memory on: they are not aligned for vectors.</summary>
    public Tensor BehindAnElement(Tensor tensor)
    {
        int count = (int)tensor.Elements;
        Tensor moved = Zeros(tensor.DType, 1, count + 1).ElementRange(1, count).Reshape(tensor.Rows, tensor.Columns);
        _device.Upload(Bytes(tensor), moved);
        return moved;
    }

    /// <summary>The same bytes up to the end of an allocation of their own: an emulated device faults where it reads behind them.</summary>
    public Tensor AtEndOfAllocation(Tensor tensor)
    {
        int alignment = _device.Profile.Alignment;
        long bytes = (tensor.Bytes + alignment - 1) / alignment * alignment;
        _own.Add(_device.Allocate(MemorySpace.Device, bytes));
        Tensor moved = tensor with { Address = _own[^1] + (nint)(bytes - tensor.Bytes) };
        _device.Upload(Bytes(tensor), moved);
        return moved;
    }

    public Tensor Upload(int[] values)
    {
        Tensor tensor = Zeros(DType.I32, 1, values.Length);
        _device.Upload(MemoryMarshal.AsBytes<int>(values), tensor);
        return tensor;
    }

    public Tensor Upload(byte[] values, int rows, int columns)
    {
        Tensor tensor = Zeros(DType.U8, rows, columns);
        _device.Upload(values, tensor);
        return tensor;
    }

    /// <summary>Sets an F32 or BF16 tensor.</summary>
    public void Write(Tensor tensor, double[] values)
    {
        if (tensor.DType == DType.F32)
        {
            _device.Upload(MemoryMarshal.AsBytes<float>(Array.ConvertAll(values, v => (float)v)), tensor);
        }
        else
        {
            _device.Upload(MemoryMarshal.AsBytes<ushort>(Array.ConvertAll(values, v => BFloat.FromSingle((float)v))), tensor);
        }
    }

    /// <exception cref="InvalidOperationException">An operation has written beyond a tensor.</exception>
    public byte[] Bytes(Tensor tensor)
    {
        if (FindOverrun() is { } overrun)
        {
            throw new InvalidOperationException(overrun);
        }

        byte[] bytes = new byte[tensor.Bytes];
        _device.Download(tensor, bytes);
        return bytes;
    }

    public float[] Floats(Tensor tensor)
    {
        byte[] bytes = Bytes(tensor);
        return tensor.DType == DType.F32
            ? MemoryMarshal.Cast<byte, float>(bytes).ToArray()
            : Array.ConvertAll(MemoryMarshal.Cast<byte, ushort>(bytes).ToArray(), BFloat.ToSingle);
    }

    public double[] Read(Tensor tensor) => Array.ConvertAll(Floats(tensor), v => (double)v);

    /// <summary>A column of what an update counts.</summary>
    public long Count(Tensor counts, UpdateCount column) => MemoryMarshal.Cast<byte, long>(Bytes(counts))[(int)column];

    /// <summary>Zeroed counts of updates.</summary>
    public Tensor Counts() => Zeros(DType.I64, 1, UpdateCounts.Length);

    /// <summary>A weight holding the values, quantized by the device.</summary>
    public WeightMatrix Weight(double[] values, int rows, int columns, WeightForm form)
    {
        WeightMatrix weight = EmptyWeight(rows, columns, form);
        _device.Quantize(Upload(values, DType.F32, rows, columns).Tensor, weight);
        return weight;
    }

    public WeightMatrix EmptyWeight(int rows, int columns, WeightForm form)
    {
        if (form.GroupSize() == 0)
        {
            return new WeightMatrix(Zeros(form == WeightForm.F32 ? DType.F32 : DType.BF16, rows, columns));
        }

        int groups = WeightMatrix.GroupsPerRow(columns, form.GroupSize());
        return new WeightMatrix(
            Zeros(DType.U8, rows, columns), Zeros(DType.BF16, rows, groups), Zeros(DType.U8, rows, groups), form.GroupSize())
        {
            ZeroPointRule = form.ZeroPointRule(),
            Residuals = form.ResidualBits() == 0 ? default : Zeros(DType.U8, rows, WeightMatrix.ResidualBytesPerRow(columns, form.ResidualBits())),
        };
    }

    /// <summary>The values that a weight stands for, computed on the host from its bytes.</summary>
    public double[] Values(in WeightMatrix weight)
    {
        if (!weight.IsQuantized)
        {
            return Read(weight.Values);
        }

        byte[] codes = Bytes(weight.Values);
        double[] scales = Read(weight.Scales);
        byte[] zeros = Bytes(weight.ZeroPoints);
        sbyte[] residuals = Residuals(weight);
        double[] values = new double[codes.Length];
        for (int i = 0; i < values.Length; i++)
        {
            int group = i / weight.InFeatures * weight.Scales.Columns + i % weight.InFeatures / weight.GroupSize;
            values[i] = (codes[i] - zeros[group] + residuals[i] / Math.Pow(2, weight.ResidualBits)) * scales[group];
        }

        return values;
    }

    /// <summary>The low bits of every value; zeros for a weight without.</summary>
    public sbyte[] Residuals(in WeightMatrix weight)
    {
        int count = (int)weight.Values.Elements;
        byte[] stored = weight.Residuals.IsAbsent ? new byte[count] : Bytes(weight.Residuals);
        return weight.ResidualBits == 4
            ? [.. Enumerable.Range(0, count).Select(i => (sbyte)((sbyte)(stored[i / 2] << (i % 2 == 0 ? 4 : 0)) >> 4))]
            : Array.ConvertAll(stored, value => (sbyte)value);
    }

    /// <exception cref="InvalidOperationException">An operation has written beyond a tensor, or beyond the workspace that it asked for.</exception>
    public void Dispose()
    {
        string? overrun = FindOverrun();
        _own.ForEach(address => _device.Free(MemorySpace.Device, address));
        _device.Free(MemorySpace.Device, _base);
        if (overrun is not null)
        {
            throw new InvalidOperationException(overrun);
        }
    }
}

/// <summary>How a weight is stored.</summary>
public enum WeightForm
{
    F32,
    BF16,
    Int8By32,
    Int8By128,
    Int8By256,

    /// <summary>With 4 residual bits: an even number of columns.</summary>
    Int8By32Plus4,
    Int8By128Plus4,
    Int8By64Plus8,

    /// <summary>Zero point 128 everywhere.</summary>
    Int8By32Symmetric,
    Int8By128SymmetricPlus4,
}

public static class WeightFormExtensions
{
    /// <summary>Forms that products tell apart: they read no residuals, and any zero points.</summary>
    public static IReadOnlyList<WeightForm> OfProducts { get; } =
        [.. Enum.GetValues<WeightForm>().Where(form => form.ResidualBits() == 0 && form.ZeroPointRule() == Quantization.ZeroPointRule.Asymmetric)];

    /// <summary>0 for a dense weight.</summary>
    public static int GroupSize(this WeightForm form) => form switch
    {
        WeightForm.Int8By32 or WeightForm.Int8By32Plus4 or WeightForm.Int8By32Symmetric => 32,
        WeightForm.Int8By64Plus8 => 64,
        WeightForm.Int8By128 or WeightForm.Int8By128Plus4 or WeightForm.Int8By128SymmetricPlus4 => 128,
        WeightForm.Int8By256 => 256,
        _ => 0,
    };

    public static int ResidualBits(this WeightForm form) => form switch
    {
        WeightForm.Int8By32Plus4 or WeightForm.Int8By128Plus4 or WeightForm.Int8By128SymmetricPlus4 => 4,
        WeightForm.Int8By64Plus8 => 8,
        _ => 0,
    };

    public static ZeroPointRule ZeroPointRule(this WeightForm form) => form is WeightForm.Int8By32Symmetric or WeightForm.Int8By128SymmetricPlus4
        ? Quantization.ZeroPointRule.Symmetric
        : Quantization.ZeroPointRule.Asymmetric;

    /// <summary>The number of columns, or the next one that the form can have.</summary>
    public static int Columns(this WeightForm form, int columns) => form.ResidualBits() == 4 ? columns + columns % 2 : columns;
}
