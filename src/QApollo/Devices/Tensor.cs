namespace QApollo.Devices;

/// <summary>
/// A view of device memory: an address, an element type and a row-major shape [Rows, Columns]. It owns nothing.
/// A vector is [1, n]; activations are [tokens, features]. <c>default</c> means "absent".
/// </summary>
public readonly record struct Tensor(nint Address, DType DType, int Rows, int Columns)
{
    public long Elements => (long)Rows * Columns;

    public long Bytes => Elements * DType.Size();

    public bool IsAbsent => Rows == 0;

    /// <summary>Rows <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/>, as a view.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the tensor.</exception>
    public Tensor RowRange(int first, int count)
    {
        if (first < 0 || count < 0 || first + (long)count > Rows)
        {
            throw new ArgumentOutOfRangeException(nameof(first), $"rows {first}..{first + (long)count} of a tensor of {Rows} rows");
        }

        return this with { Address = Address + (nint)((long)first * Columns * DType.Size()), Rows = count };
    }

    /// <summary>Elements <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> of the flat tensor, as a vector [1, count].</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the tensor.</exception>
    public Tensor ElementRange(long first, int count)
    {
        if (first < 0 || count < 0 || first + count > Elements)
        {
            throw new ArgumentOutOfRangeException(nameof(first), $"elements {first}..{first + count} of a tensor of {Elements}");
        }

        return new Tensor(Address + (nint)(first * DType.Size()), DType, 1, count);
    }

    /// <summary>The first elements of the same memory under another shape.</summary>
    /// <exception cref="ArgumentException">The new shape needs more elements than the tensor has.</exception>
    public Tensor Reshape(int rows, int columns)
    {
        if ((long)rows * columns > Elements)
        {
            throw new ArgumentException($"a view of [{rows}, {columns}] does not fit into {Elements} elements");
        }

        return this with { Rows = rows, Columns = columns };
    }

    public override string ToString() => $"{DType}[{Rows}, {Columns}]";
}
