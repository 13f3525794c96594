using QApollo.Devices;

namespace QApollo.Memory;

/// <summary>First and last operation of one stretch of a step during which a tensor holds something that is still needed.</summary>
public readonly record struct LiveRange(int First, int Last);

/// <summary>A row of the tensor table. It stands for its memory wherever a <see cref="Tensor"/> is wanted.</summary>
public sealed class PlannedTensor
{
    internal PlannedTensor(string name, DType dtype, int rows, int columns, TensorCategory category, bool persistent, MemorySpace space)
    {
        Name = name;
        View = new Tensor(0, dtype, rows, columns);
        Category = category;
        IsPersistent = persistent;
        Space = space;
    }

    public string Name { get; }

    public TensorCategory Category { get; }

    public MemorySpace Space { get; }

    /// <summary>Holds its content from step to step; otherwise it shares memory with tensors that live at other times.</summary>
    public bool IsPersistent { get; }

    public long Bytes => View.Bytes;

    /// <summary>When it lives, in operations of the rehearsed step; empty for persistent tensors, which always live.</summary>
    public IReadOnlyList<LiveRange> LiveRanges { get; internal set; } = [];

    /// <summary>Whether its content is needed at an operation.</summary>
    public bool LivesAt(int operation) => IsPersistent || LiveRanges.Any(range => range.First <= operation && operation <= range.Last);

    /// <summary>Bytes from the start of its space's arena.</summary>
    public long Offset { get; internal set; }

    /// <summary>The memory: virtual while the step is rehearsed, real once the table is bound to an arena.</summary>
    public Tensor View { get; private set; }

    public static implicit operator Tensor(PlannedTensor tensor) => tensor.View;

    /// <summary>Rows <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/>.</summary>
    public Tensor RowRange(int first, int count) => View.RowRange(first, count);

    internal void Bind(nint address) => View = View with { Address = address };

    public override string ToString() => $"{Name} {View}";
}
