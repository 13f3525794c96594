using System.Collections;

namespace QApollo.Models;

/// <summary>Token ids in some order; equal to others of the same ids in the same order.</summary>
public sealed class TokenIds(params int[] ids) : IReadOnlyList<int>, IEquatable<TokenIds>
{
    private readonly int[] _ids = [.. ids];

    public static TokenIds None { get; } = new();

    public int Count => _ids.Length;

    public int this[int index] => _ids[index];

    public bool Equals(TokenIds? other) => other is not null && _ids.AsSpan().SequenceEqual(other._ids);

    public override bool Equals(object? obj) => Equals(obj as TokenIds);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (int id in _ids)
        {
            hash.Add(id);
        }

        return hash.ToHashCode();
    }

    public IEnumerator<int> GetEnumerator() => ((IEnumerable<int>)_ids).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public override string ToString() => $"[{string.Join(", ", _ids)}]";
}
