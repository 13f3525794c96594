using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Patterns;

/// <summary>Each code point of a set is a match.</summary>
internal sealed class SetMatcher(CodePointSet set) : ITextMatcher
{
    public bool TryMatch(ReadOnlySpan<byte> text, int from, EncodeState state, out int start, out int end)
    {
        for (start = from; start < text.Length; start = end)
        {
            bool member = set.Contains(Utf8Text.Decode(text, start, out int length));
            end = start + length;
            if (member)
            {
                return true;
            }
        }

        end = start;
        return false;
    }
}

/// <summary>Each occurrence of a text that is not empty is a match.</summary>
internal sealed class LiteralMatcher(byte[] literal) : ITextMatcher
{
    public bool TryMatch(ReadOnlySpan<byte> text, int from, EncodeState state, out int start, out int end)
    {
        int at = text[from..].IndexOf(literal);
        (start, end) = at >= 0 ? (from + at, from + at + literal.Length) : (text.Length, text.Length);
        return at >= 0;
    }
}
