namespace QApollo.Data.Tokenizers.Text;

/// <summary>
/// The normalization forms of UAX #15. .NET's own need ICU, which a program that runs in the invariant culture has not.
/// One thread at a time.
/// </summary>
internal sealed class UnicodeNormalization
{
    private const int Kept = 1 << 12;

    private readonly List<(int CodePoint, byte Class)> _segment = [];
    private readonly UnicodeNormalizationData _data = UnicodeNormalizationData.Instance;
    private ulong[] _order = [];
    private bool _compatible;
    private bool _compose;

    /// <summary>Appends the text in a normalization form. Bytes that are no UTF-8 are kept and take no part.</summary>
    /// <param name="compatible">NFKC or NFKD and not NFC or NFD.</param>
    /// <param name="compose">NFC or NFKC and not NFD or NFKD.</param>
    public void Apply(ReadOnlySpan<byte> text, bool compatible, bool compose, ByteBuffer output)
    {
        (_compatible, _compose) = (compatible, compose);
        for (int at = 0; at < text.Length;)
        {
            int ascii = text[at..].IndexOfAnyExceptInRange((byte)0, (byte)0x7F);
            ascii = ascii < 0 ? text.Length - at : ascii;
            if (ascii > 1)
            {
                // All but the last, which marks may follow, are as they should be.
                Flush(output);
                output.Add(text.Slice(at, ascii - 1));
                at += ascii - 1;
            }

            int codePoint = Utf8Text.Decode(text, at, out int length);
            if (Utf8Text.IsBroken(codePoint, length))
            {
                Flush(output);
                output.Add(text[at]);
            }
            else
            {
                Decompose(codePoint, output);
            }

            at += length;
        }

        Flush(output);
        if (_segment.Capacity > Kept)
        {
            _segment.Capacity = 0;
            _order = [];
        }
    }

    private void Decompose(int codePoint, ByteBuffer output)
    {
        if (_data.Decompose(codePoint, _compatible) is int[] parts)
        {
            foreach (int part in parts)
            {
                Add(part, output);
            }
        }
        else if (Hangul.IsSyllable(codePoint))
        {
            (int lead, int vowel, int trail) = Hangul.Decompose(codePoint);
            Add(lead, output);
            Add(vowel, output);
            if (trail != 0)
            {
                Add(trail, output);
            }
        }
        else
        {
            Add(codePoint, output);
        }
    }

    private void Add(int codePoint, ByteBuffer output)
    {
        byte combining = _data.CombiningClass(codePoint);
        if (combining == 0 && !_data.MayFollowInComposition(codePoint))
        {
            Flush(output);
        }

        _segment.Add((codePoint, combining));
    }

    /// <summary>Orders the segment's marks by class (D109), composes it (D117) and writes it.</summary>
    private void Flush(ByteBuffer output)
    {
        Reorder();
        int count = _compose ? Compose() : _segment.Count;
        for (int i = 0; i < count; i++)
        {
            output.AddCodePoint(_segment[i].CodePoint);
        }

        _segment.Clear();
    }

    private void Reorder()
    {
        for (int start = 0; start < _segment.Count;)
        {
            int end = start + 1;
            bool sorted = true;
            for (; _segment[start].Class != 0 && end < _segment.Count && _segment[end].Class != 0; end++)
            {
                sorted &= _segment[end - 1].Class <= _segment[end].Class;
            }

            if (!sorted)
            {
                SortRun(start, end);
            }

            start = end;
        }
    }

    private void SortRun(int start, int end)
    {
        // The place in the lower half keeps marks of one class in their order.
        _order = _order.Length < end - start ? new ulong[end - start] : _order;
        Span<ulong> order = _order.AsSpan(0, end - start);
        var run = _segment.GetRange(start, end - start);
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = ((ulong)run[i].Class << 32) | (uint)i;
        }

        order.Sort();
        for (int i = 0; i < order.Length; i++)
        {
            _segment[start + i] = run[(int)(uint)order[i]];
        }
    }

    private int Compose()
    {
        int count = 0;
        int starter = -1;
        int before = -1;
        for (int i = 0; i < _segment.Count; i++)
        {
            (int codePoint, byte combining) = _segment[i];
            if (starter >= 0 && before < combining && _data.Compose(_segment[starter].CodePoint, codePoint) is int composed and >= 0)
            {
                _segment[starter] = (composed, 0);
                continue;
            }

            (starter, before) = combining == 0 ? (count, -1) : (starter, combining);
            _segment[count++] = (codePoint, combining);
        }

        return count;
    }
}
