using QApollo.Devices;

namespace QApollo.Memory;

/// <summary>
/// The one table that declares every tensor of a run. Allocation, checkpoints, reports and tests iterate it. First the
/// table is bound to virtual addresses and the step is rehearsed on them; then to the arena that the plan laid out.
/// </summary>
public sealed class TensorTable
{
    /// <summary>Virtual addresses start here, so that none is 0.</summary>
    private const nint VirtualBase = 1 << 20;

    private readonly List<PlannedTensor> _tensors = [];
    private nint[] _starts = [];

    /// <summary>In the order of declaration, which is the order in memory for persistent tensors.</summary>
    public IReadOnlyList<PlannedTensor> Tensors => _tensors;

    /// <summary>Declares a tensor whose content lives from step to step.</summary>
    public PlannedTensor Persistent(
        string name, DType dtype, int rows, int columns, TensorCategory category, MemorySpace space = MemorySpace.Device) =>
        Declare(name, dtype, rows, columns, category, persistent: true, space);

    /// <summary>Declares a tensor that lives only between its first write and its last read.</summary>
    public PlannedTensor Transient(
        string name, DType dtype, int rows, int columns, TensorCategory category, MemorySpace space = MemorySpace.Device) =>
        Declare(name, dtype, rows, columns, category, persistent: false, space);

    /// <summary>A byte buffer, or null when no bytes are needed.</summary>
    public PlannedTensor? Scratch(string name, long bytes, TensorCategory category, bool persistent)
    {
        const int RowBytes = 64;
        return bytes == 0
            ? null
            : Declare(name, DType.U8, checked((int)((bytes + RowBytes - 1) / RowBytes)), RowBytes, category, persistent, MemorySpace.Device);
    }

    /// <summary>Gives every tensor an address of its own, in no memory at all.</summary>
    public void BindVirtual(int alignment)
    {
        nint next = VirtualBase;
        _starts = new nint[_tensors.Count];
        for (int i = 0; i < _tensors.Count; i++)
        {
            _starts[i] = next;
            _tensors[i].Bind(next);
            next = checked(next + (nint)Align(_tensors[i].Bytes, alignment));
        }
    }

    /// <summary>The tensor that a virtual address belongs to.</summary>
    public PlannedTensor FromVirtual(nint address)
    {
        int index = Array.BinarySearch(_starts, address);
        return _tensors[index >= 0 ? index : ~index - 1];
    }

    /// <summary>Binds every tensor to its planned offset in the arenas.</summary>
    public void Bind(nint deviceArena, nint pinnedHostArena)
    {
        foreach (PlannedTensor tensor in _tensors)
        {
            tensor.Bind(tensor.Space switch
            {
                MemorySpace.Device => deviceArena + (nint)tensor.Offset,
                MemorySpace.PinnedHost => pinnedHostArena + (nint)tensor.Offset,
                _ => DiskAddress.Of(tensor.Offset),
            });
        }
    }

    public static long Align(long bytes, int alignment) => checked(bytes + alignment - 1) & -alignment;

    private PlannedTensor Declare(string name, DType dtype, int rows, int columns, TensorCategory category, bool persistent, MemorySpace space)
    {
        if (rows <= 0 || columns <= 0)
        {
            throw new ArgumentException($"tensor {name}: shape [{rows}, {columns}] is empty");
        }

        var tensor = new PlannedTensor(name, dtype, rows, columns, category, persistent, space);
        _tensors.Add(tensor);
        return tensor;
    }
}
