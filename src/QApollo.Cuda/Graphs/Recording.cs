using System.Runtime.InteropServices;
using QApollo.Cuda.Driver;

namespace QApollo.Cuda.Graphs;

/// <summary>Commands in order, with their arguments and their nodes in a graph. Allocates only while it grows.</summary>
internal sealed class Recording
{
    private readonly List<Entry> _entries = [];
    private readonly List<KernelArgument> _arguments = [];

    public int Count => _entries.Count;

    public void Clear()
    {
        _entries.Clear();
        _arguments.Clear();
    }

    public void Add(in Command command, ReadOnlySpan<KernelArgument> arguments, nint node)
    {
        _entries.Add(new Entry(command, _arguments.Count, arguments.Length, node));
        _arguments.AddRange(arguments);
    }

    public Command this[int index] => _entries[index].Command;

    public nint Node(int index) => _entries[index].Node;

    public ReadOnlySpan<KernelArgument> Arguments(int index) => ArgumentsOf(_entries[index]);

    /// <summary>Whether a command is the recorded one to the last bit.</summary>
    public bool Matches(int index, in Command command, ReadOnlySpan<KernelArgument> arguments) =>
        _entries[index].Command == command && Bits(Arguments(index)).SequenceEqual(Bits(arguments));

    /// <summary>Puts other numbers in the place of the recorded ones.</summary>
    public void Replace(int index, in Command command, ReadOnlySpan<KernelArgument> arguments)
    {
        ref Entry entry = ref CollectionsMarshal.AsSpan(_entries)[index];
        entry = entry with { Command = command };
        arguments.CopyTo(ArgumentsOf(entry));
    }

    private Span<KernelArgument> ArgumentsOf(Entry entry) => CollectionsMarshal.AsSpan(_arguments).Slice(entry.FirstArgument, entry.Arguments);

    private static ReadOnlySpan<long> Bits(ReadOnlySpan<KernelArgument> arguments) => MemoryMarshal.Cast<KernelArgument, long>(arguments);

    private readonly record struct Entry(Command Command, int FirstArgument, int Arguments, nint Node);
}
