using System.Runtime.InteropServices;
using TorchSharp;

namespace QApollo.Torch;

/// <summary>
/// A block of memory as libtorch sees it: a tensor of bytes, and over its storage a tensor of every other element type.
/// Views are strided windows of these, on a GPU as on the processor; THSTensor_new would copy what is not the host's.
/// </summary>
internal sealed unsafe class TorchBlock : IDisposable
{
    private const int Alignment = 4096;

    private static readonly ScalarType[] Elements =
    [
        ScalarType.Byte, ScalarType.Int8, ScalarType.Int16, ScalarType.Int32, ScalarType.Int64, ScalarType.Bool, ScalarType.BFloat16, ScalarType.Float32,
        ScalarType.Float64,
    ];

    private readonly Dictionary<ScalarType, TorchTensor> _typed = [];
    private readonly nint _first;

    /// <param name="bytes">[n] U8, with room for the alignment; the block's from now on.</param>
    public TorchBlock(TorchTensor bytes)
    {
        using DisposeScope scope = torch.NewDisposeScope();
        _first = Native.Data(bytes.Handle);
        Address = (nint)(((nuint)_first + Alignment - 1) & ~(nuint)(Alignment - 1));
        End = _first + (nint)bytes.shape[0];
        IsOnHost = bytes.device_type == DeviceType.CPU;
        foreach (ScalarType element in Elements)
        {
            // The storage with another type: set_ leaves the type, and takes storage, sizes and strides.
            TorchTensor typed = torch.empty(0, element, bytes.device);
            typed.set_(bytes.as_strided([bytes.shape[0] / TorchContext.SizeOf(element)], [1], 0));
            _typed.Add(element, typed.DetachFromDisposeScope());
        }

        bytes.Dispose();
    }

    /// <summary>On a page of 4 KiB.</summary>
    public nint Address { get; }

    public nint End { get; }

    public bool IsOnHost { get; }

    /// <summary>Bytes to ask for so that so many begin on a page.</summary>
    public static long WithAlignment(long bytes) => bytes + Alignment;

    /// <summary>A row-major tensor at an address of the block.</summary>
    public TorchTensor View(nint address, ScalarType element, ReadOnlySpan<long> shape)
    {
        (long offset, long misplaced) = Math.DivRem(address - _first, TorchContext.SizeOf(element));
        if (misplaced != 0)
        {
            throw new ArgumentException($"{element} cannot begin {misplaced} bytes behind a multiple of its size", nameof(address));
        }

        Span<long> strides = stackalloc long[shape.Length];
        long stride = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride *= shape[i];
        }

        fixed (long* extents = shape, steps = strides)
        {
            nint handle = Native.AsStrided(_typed[element].Handle, extents, shape.Length, steps, strides.Length, offset);
            if (handle == 0)
            {
                torch.CheckForErrors();
            }

            return TorchTensor.UnsafeCreateTensor(handle);
        }
    }

    public void Dispose()
    {
        foreach (TorchTensor tensor in _typed.Values)
        {
            tensor.Dispose();
        }
    }

    /// <summary>What LibTorchSharp exports and TorchSharp keeps to itself, or wraps in arrays.</summary>
    private static class Native
    {
        [DllImport("LibTorchSharp", EntryPoint = "THSTensor_data")]
        public static extern nint Data(nint tensor);

        [DllImport("LibTorchSharp", EntryPoint = "THSTensor_as_strided")]
        public static extern nint AsStrided(nint tensor, long* shape, int dimensions, long* strides, int sameDimensions, long offset);
    }
}
