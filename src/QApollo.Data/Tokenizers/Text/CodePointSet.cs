namespace QApollo.Data.Tokenizers.Text;

/// <summary>A set of code points as an inversion list: sorted bounds, the first of each pair inside, the second outside.</summary>
internal sealed class CodePointSet
{
    public static readonly CodePointSet Empty = new([]);
    public static readonly CodePointSet All = new([0, Utf8Text.CodePoints]);

    private readonly int[] _bounds;
    private readonly Lazy<ulong[]> _basicPlane;

    private CodePointSet(int[] bounds)
    {
        _bounds = bounds;
        _basicPlane = new Lazy<ulong[]>(BuildBasicPlane);
    }

    public static CodePointSet Range(int first, int last) => new([first, last + 1]);

    public static CodePointSet Of(params ReadOnlySpan<int> codePoints)
    {
        CodePointSet result = Empty;
        foreach (int codePoint in codePoints)
        {
            result |= Range(codePoint, codePoint);
        }

        return result;
    }

    /// <summary>The code points for which <paramref name="belongs"/> holds.</summary>
    public static CodePointSet Where(Func<int, bool> belongs)
    {
        var bounds = new List<int>();
        bool inside = false;
        for (int codePoint = 0; codePoint < Utf8Text.CodePoints; codePoint++)
        {
            if (belongs(codePoint) != inside)
            {
                bounds.Add(codePoint);
                inside = !inside;
            }
        }

        if (inside)
        {
            bounds.Add(Utf8Text.CodePoints);
        }

        return new CodePointSet([.. bounds]);
    }

    public static CodePointSet operator |(CodePointSet left, CodePointSet right) => Combine(left, right, (a, b) => a || b);

    public static CodePointSet operator &(CodePointSet left, CodePointSet right) => Combine(left, right, (a, b) => a && b);

    public static CodePointSet operator ~(CodePointSet set) => Combine(set, All, (a, b) => b && !a);

    public bool Contains(int codePoint) => codePoint < 0x10000
        ? (_basicPlane.Value[codePoint >> 6] >> (codePoint & 63) & 1) != 0
        : ContainsInBounds(codePoint);

    /// <summary>The bytes with which the UTF-8 of a member can begin; all above 0x7F where a member is above U+007F.</summary>
    public bool[] FirstBytes()
    {
        var bytes = new bool[256];
        for (int ascii = 0; ascii < 0x80; ascii++)
        {
            bytes[ascii] = Contains(ascii);
        }

        bool beyondAscii = _bounds.Length > 0 && _bounds[^1] > 0x80;
        Array.Fill(bytes, beyondAscii, 0x80, 0x80);
        return bytes;
    }

    /// <summary>The ranges, last included.</summary>
    public IEnumerable<(int First, int Last)> Ranges()
    {
        for (int i = 0; i < _bounds.Length; i += 2)
        {
            yield return (_bounds[i], _bounds[i + 1] - 1);
        }
    }

    private bool ContainsInBounds(int codePoint)
    {
        int index = Array.BinarySearch(_bounds, codePoint);
        return ((index >= 0 ? index : ~index - 1) & 1) == 0 && index != -1;
    }

    private ulong[] BuildBasicPlane()
    {
        var bits = new ulong[0x10000 / 64];
        foreach ((int first, int last) in Ranges())
        {
            for (int codePoint = first; codePoint <= last && codePoint < 0x10000; codePoint++)
            {
                bits[codePoint >> 6] |= 1UL << (codePoint & 63);
            }
        }

        return bits;
    }

    private static CodePointSet Combine(CodePointSet left, CodePointSet right, Func<bool, bool, bool> belongs)
    {
        var bounds = new List<int>(left._bounds.Length + right._bounds.Length);
        bool inside = false;
        int l = 0;
        int r = 0;
        while (l < left._bounds.Length || r < right._bounds.Length)
        {
            int at = Math.Min(
                l < left._bounds.Length ? left._bounds[l] : int.MaxValue,
                r < right._bounds.Length ? right._bounds[r] : int.MaxValue);
            l += l < left._bounds.Length && left._bounds[l] == at ? 1 : 0;
            r += r < right._bounds.Length && right._bounds[r] == at ? 1 : 0;
            if (belongs((l & 1) != 0, (r & 1) != 0) != inside)
            {
                bounds.Add(at);
                inside = !inside;
            }
        }

        return new CodePointSet([.. bounds]);
    }
}
