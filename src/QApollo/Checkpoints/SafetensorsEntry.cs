namespace QApollo.Checkpoints;

/// <summary>A tensor to be written: its name, element type and shape (row-major; empty for a scalar).</summary>
public sealed record SafetensorsDeclaration(string Name, SafetensorsDType DType, params long[] Shape)
{
    /// <summary>Bytes of the tensor.</summary>
    /// <exception cref="OverflowException">More than 2^63 - 1.</exception>
    public long ByteLength => checked(Shape.Aggregate(1L, (product, extent) => checked(product * extent)) * DType.Size());
}

/// <summary>A tensor of a safetensors file.</summary>
public sealed class SafetensorsEntry
{
    internal SafetensorsEntry(SafetensorsDeclaration declaration, long offset)
    {
        Declaration = declaration;
        Offset = offset;
        ByteLength = declaration.ByteLength;
    }

    public SafetensorsDeclaration Declaration { get; }

    public string Name => Declaration.Name;

    public SafetensorsDType DType => Declaration.DType;

    public IReadOnlyList<long> Shape => Declaration.Shape;

    /// <summary>First byte of the tensor, counted from the end of the header.</summary>
    public long Offset { get; }

    public long ByteLength { get; }

    public long Elements => ByteLength / DType.Size();

    public override string ToString() => $"{SafetensorsHeaderParser.Shown(Name)} {DType.FormatName()}[{string.Join(", ", Shape)}]";
}
