using System.Buffers;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.HuggingFace;

/// <summary>The bytes of each id, and what is cut off at the ends of the whole.</summary>
internal sealed class TokenDecoder
{
    private readonly ByteBuffer _bytes = new();
    private readonly int[] _ends;
    private readonly bool[] _known;
    private readonly Dictionary<int, byte[]> _whenFirst = [];

    /// <param name="size">The largest id and one more.</param>
    /// <param name="text">The bytes of an id, null for an id that nothing has.</param>
    /// <param name="whenFirst">Its bytes where it begins the text, null when they are the same.</param>
    public TokenDecoder(int size, Func<int, byte[]?> text, Func<int, byte[]?> whenFirst)
    {
        _ends = new int[size];
        _known = new bool[size];
        for (int id = 0; id < size; id++)
        {
            if (text(id) is byte[] bytes)
            {
                _bytes.Add(bytes);
                _known[id] = true;
            }

            _ends[id] = _bytes.Length;
            if (whenFirst(id) is byte[] first)
            {
                _whenFirst[id] = first;
            }
        }
    }

    /// <summary>What to cut off: up to so many times the text at the start, and at the end.</summary>
    public (byte[] Text, int Start, int End)? Strip { get; init; }

    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    public void Decode(ReadOnlySpan<int> ids, IBufferWriter<byte> utf8)
    {
        if (Strip is not (byte[] strip, int start, int end))
        {
            for (int i = 0; i < ids.Length; i++)
            {
                utf8.Write(Text(ids[i], i == 0));
            }

            return;
        }

        var whole = new ByteBuffer();
        for (int i = 0; i < ids.Length; i++)
        {
            whole.Add(Text(ids[i], i == 0));
        }

        utf8.Write(Cut(whole.Written, strip, start, end));
    }

    /// <summary>The text without up to so many occurrences of another at its start and at its end.</summary>
    public static ReadOnlySpan<byte> Cut(ReadOnlySpan<byte> text, ReadOnlySpan<byte> strip, int start, int end)
    {
        for (int i = 0; i < start && text.StartsWith(strip); i++)
        {
            text = text[strip.Length..];
        }

        for (int i = 0; i < end && text.EndsWith(strip); i++)
        {
            text = text[..^strip.Length];
        }

        return text;
    }

    private ReadOnlySpan<byte> Text(int id, bool first)
    {
        if ((uint)id >= (uint)_ends.Length || !_known[id])
        {
            throw new ArgumentOutOfRangeException(nameof(id), id, "the id is not in the tokenizer's vocabulary");
        }

        if (first && _whenFirst.TryGetValue(id, out byte[]? bytes))
        {
            return bytes;
        }

        int start = id == 0 ? 0 : _ends[id - 1];
        return _bytes.Written[start.._ends[id]];
    }
}
