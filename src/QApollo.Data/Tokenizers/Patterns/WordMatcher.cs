using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Patterns;

/// <summary>\w+|[^\w\s]+ with the \w of UTS #18.</summary>
internal sealed class WordMatcher : ITextMatcher
{
    private const CharacterClass Kinds = CharacterClass.Word | CharacterClass.Space;

    public bool TryMatch(ReadOnlySpan<byte> text, int from, EncodeState state, out int start, out int end)
    {
        start = WordScan.RunEnd(text, from, CharacterClass.Space);
        end = start;
        if (start == text.Length)
        {
            return false;
        }

        CharacterClass kind = Kind(text, start, out end);
        while (end < text.Length && Kind(text, end, out int next) == kind)
        {
            end = next;
        }

        return true;
    }

    private static CharacterClass Kind(ReadOnlySpan<byte> text, int at, out int next)
    {
        CharacterClass kind = CharacterClasses.Of(Utf8Text.Decode(text, at, out int length)) & Kinds;
        next = at + length;
        return kind;
    }
}
