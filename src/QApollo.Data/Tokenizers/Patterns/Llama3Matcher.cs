using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Patterns;

/// <summary><see cref="UsualPatterns.Llama3"/> in one pass: every byte belongs to a match.</summary>
/// <param name="digits">The most digits in a match.</param>
internal sealed class Llama3Matcher(int digits) : ITextMatcher
{
    public bool TryMatch(ReadOnlySpan<byte> text, int from, EncodeState state, out int start, out int end)
    {
        start = end = from;
        if (from == text.Length)
        {
            return false;
        }

        byte first = text[from];
        CharacterClass kind = WordScan.Kind(text, from, out int next);
        if (first == '\'' && ContractionLength(text[next..]) is int contraction and > 0)
        {
            end = next + contraction;
            return true;
        }

        switch (kind)
        {
            case CharacterClass.Letter:
                end = WordScan.RunEnd(text, next, CharacterClass.Letter);
                return true;
            case CharacterClass.Number:
                end = WordScan.RunEnd(text, next, CharacterClass.Number, digits - 1);
                return true;
        }

        CharacterClass after = CharacterClass.Space;
        int second = next;
        if (next < text.Length)
        {
            after = WordScan.Kind(text, next, out second);
        }

        if (after == CharacterClass.Letter && first is not ((byte)'\r' or (byte)'\n'))
        {
            end = WordScan.RunEnd(text, second, CharacterClass.Letter);
        }
        else if (kind == CharacterClass.Other)
        {
            end = LineEndsEnd(text, WordScan.RunEnd(text, next, CharacterClass.Other));
        }
        else if (first == ' ' && after == CharacterClass.Other)
        {
            end = LineEndsEnd(text, WordScan.RunEnd(text, second, CharacterClass.Other));
        }
        else
        {
            end = SpacesEnd(text, from);
        }

        return true;
    }

    /// <summary>\s*[\r\n]+|\s+(?!\S)|\s+: up to the last line end of the run, else as <see cref="WordScan.SpacesEnd"/>.</summary>
    private static int SpacesEnd(ReadOnlySpan<byte> text, int from)
    {
        int end = WordScan.RunEnd(text, from, CharacterClass.Space);
        int line = text[from..end].LastIndexOfAny((byte)'\r', (byte)'\n');
        return line >= 0 ? from + line + 1 : WordScan.SpacesEnd(text, from);
    }

    private static int LineEndsEnd(ReadOnlySpan<byte> text, int at)
    {
        while (at < text.Length && text[at] is (byte)'\r' or (byte)'\n')
        {
            at++;
        }

        return at;
    }

    private static int ContractionLength(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty)
        {
            return 0;
        }

        // The long s (U+017F) folds to s.
        if (text.StartsWith("\u017F"u8))
        {
            return 2;
        }

        int second = text.Length > 1 ? text[1] | 0x20 : 0;
        return (text[0] | 0x20, second) switch
        {
            ('s' or 't' or 'm' or 'd', _) => 1,
            ('r' or 'v', 'e') or ('l', 'l') => 2,
            _ => 0,
        };
    }
}
