using System.Runtime.InteropServices;
using QApollo.Devices;
using TorchSharp;

namespace QApollo.Torch;

/// <summary>
/// What operations need of their device: tensors that are views of memory at an address, and the workspace, from which
/// temporaries are cut like from a stack. Nothing that grows with a tensor is ever asked of libtorch's own allocator.
/// </summary>
internal sealed unsafe class TorchContext(DeviceType type, int index) : IDisposable
{
    /// <summary>Elements that an operation works on at a time, or one row where rows are longer.</summary>
    public const int SliceElements = 1 << 17;

    /// <summary>Bytes of temporaries that an operation may need for each element of a slice; the update of groups needs most.</summary>
    public const int BytesPerElement = 128;

    private nint _scratch;
    private long _scratchBytes;
    private long _used;

    /// <summary>Of the device itself, until it is given a workspace.</summary>
    private nint _own;

    public DeviceType Type { get; } = type;

    public int Index { get; } = index;

    /// <summary>Bytes of temporaries that were in use at once, at most, since it was set to 0.</summary>
    public long MostUsed { get; set; }

    public bool IsCuda => Type == DeviceType.CUDA;

    public TorchMemory Memory { get; } = new(type, index);

    /// <summary>Whether a GPU's device has the tensor in host memory; on the processor all are, and nothing has to be waited for.</summary>
    public bool IsOnHost(Tensor tensor) => IsCuda && Memory.IsHost(tensor.Address);

    /// <summary>Waits for all work of a GPU.</summary>
    public void Synchronize()
    {
        if (IsCuda)
        {
            torch.cuda.synchronize(new torch.Device(Type, Index));
        }
    }

    public void UseWorkspace(Tensor workspace) => (_scratch, _scratchBytes) = (workspace.Address, workspace.Bytes);

    /// <summary>Rows of so many columns that make a slice; at least one.</summary>
    public static int RowsPerSlice(int columns) => Math.Max(1, SliceElements / columns);

    /// <summary>Until it is disposed of: temporaries taken and tensors made since belong to it.</summary>
    public Frame Open() => new(this, torch.NewDisposeScope(), _used);

    /// <summary>The tensor as libtorch sees it: [rows, columns] at the same address.</summary>
    public TorchTensor View(Tensor tensor) => View(tensor.Address, TypeOf(tensor.DType), tensor.Rows, tensor.Columns);

    /// <summary>A row-major tensor at an address of memory that the device gave.</summary>
    public TorchTensor View(nint address, ScalarType element, params ReadOnlySpan<long> shape) => Memory.View(address, element, shape);

    /// <summary>A row-major tensor at any address of the host.</summary>
    public static TorchTensor HostView(nint address, ScalarType element, params ReadOnlySpan<long> shape)
    {
        fixed (long* extents = shape)
        {
            nint handle = Native.New(address, &Native.Keep, extents, shape.Length, (sbyte)element, (sbyte)element, (int)DeviceType.CPU, -1, requiresGrad: 0);
            if (handle == 0)
            {
                torch.CheckForErrors();
            }

            return TorchTensor.UnsafeCreateTensor(handle);
        }
    }

    /// <summary>A temporary of the frame; its values are whatever was there.</summary>
    public TorchTensor Take(ScalarType element, params ReadOnlySpan<long> shape) => View(TakeAddress(element, shape), element, shape);

    /// <summary>Memory of a temporary: for one that is seen under more than one element type.</summary>
    public nint TakeAddress(ScalarType element, params ReadOnlySpan<long> shape)
    {
        if (_scratchBytes == 0)
        {
            _scratchBytes = TorchProfile.SmallestWorkspace;
            _scratch = _own = Memory.Allocate(MemorySpace.Device, _scratchBytes);
        }

        long bytes = SizeOf(element);
        foreach (long extent in shape)
        {
            bytes *= extent;
        }

        nint address = _scratch + (nint)_used;
        _used += (bytes + 63) / 64 * 64;
        MostUsed = Math.Max(MostUsed, _used);
        return _used <= _scratchBytes
            ? address
            : throw new InvalidOperationException($"an operation needs {_used} bytes of temporaries; its workspace has {_scratchBytes}");
    }

    /// <summary>A copy in binary32.</summary>
    public TorchTensor Single(Tensor tensor) => Copy(View(tensor), ScalarType.Float32);

    /// <summary>A copy in another element type; the shape may be one of a strided view.</summary>
    public TorchTensor Copy(TorchTensor source, ScalarType element) => Take(element, source.shape).copy_(source);

    /// <summary>1 where the condition, given as numbers, is not 0: NaN counts as true.</summary>
    public TorchTensor Mask(TorchTensor condition) => Copy(condition, ScalarType.Bool);

    public TorchTensor Filled(ScalarType element, double value, params ReadOnlySpan<long> shape) => Take(element, shape).Fill(value);

    /// <summary>0, 1, 2, ...: each doubling copies what is there.</summary>
    public TorchTensor Count(ScalarType element, long count)
    {
        TorchTensor numbers = Take(element, count);
        numbers.narrow(0, 0, 1).zero_();
        for (long done = 1; done < count; done *= 2)
        {
            long more = Math.Min(done, count - done);
            numbers.narrow(0, done, more).copy_(numbers.narrow(0, 0, more)).Add(done);
        }

        return numbers;
    }

    public static ScalarType TypeOf(DType dtype) => dtype switch
    {
        DType.F32 => ScalarType.Float32,
        DType.BF16 => ScalarType.BFloat16,
        DType.U8 => ScalarType.Byte,
        DType.I32 => ScalarType.Int32,
        DType.I64 => ScalarType.Int64,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "unknown element type"),
    };

    public static int SizeOf(ScalarType element) => element switch
    {
        ScalarType.Float64 or ScalarType.Int64 => 8,
        ScalarType.Float32 or ScalarType.Int32 => 4,
        ScalarType.BFloat16 or ScalarType.Int16 => 2,
        _ => 1,
    };

    public void Dispose()
    {
        if (_own != 0)
        {
            Memory.Free(_own);
        }

        Memory.Dispose();
    }

    /// <summary>See <see cref="Open"/>.</summary>
    internal readonly ref struct Frame(TorchContext context, DisposeScope tensors, long used)
    {
        public void Dispose()
        {
            tensors.Dispose();
            context._used = used;
        }
    }

    /// <summary>What LibTorchSharp exports and TorchSharp keeps to itself.</summary>
    private static class Native
    {
        [DllImport("LibTorchSharp", EntryPoint = "THSTensor_new")]
        public static extern nint New(
            nint address, delegate* unmanaged<nint, void> deleter, long* shape, int dimensions, sbyte element, sbyte type, int deviceType, int deviceIndex,
            byte requiresGrad);

        /// <summary>Called when a view goes; the memory stays.</summary>
        [UnmanagedCallersOnly]
        public static void Keep(nint address)
        {
        }
    }
}
