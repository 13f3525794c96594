using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Patterns;

/// <summary>All matches of a text in turn. An empty match right after another match does not count.</summary>
internal ref struct MatchWalk(ITextMatcher matcher, ReadOnlySpan<byte> text, EncodeState state)
{
    private readonly ReadOnlySpan<byte> _text = text;
    private int _from;

    public int Start { get; private set; }

    public int End { get; private set; } = -1;

    public bool MoveNext()
    {
        while (_from <= _text.Length && matcher.TryMatch(_text, _from, state, out int start, out int end))
        {
            if (start < end || end != End)
            {
                (Start, End, _from) = (start, end, end);
                return true;
            }

            if (end == _text.Length)
            {
                return false;
            }

            Utf8Text.Decode(_text, end, out int length);
            _from = end + length;
        }

        return false;
    }
}
