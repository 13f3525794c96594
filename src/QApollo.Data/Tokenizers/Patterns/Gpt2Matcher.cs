using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Patterns;

/// <summary><see cref="UsualPatterns.Gpt2"/> in one pass: every byte belongs to a match.</summary>
internal sealed class Gpt2Matcher : ITextMatcher
{
    public bool TryMatch(ReadOnlySpan<byte> text, int from, EncodeState state, out int start, out int end)
    {
        start = end = from;
        if (from == text.Length)
        {
            return false;
        }

        CharacterClass kind = WordScan.Kind(text, from, out int next);
        if (text[from] == ' ' && next < text.Length)
        {
            CharacterClass after = WordScan.Kind(text, next, out int second);
            if (after != CharacterClass.Space)
            {
                end = WordScan.RunEnd(text, second, after);
                return true;
            }
        }

        if (kind == CharacterClass.Space)
        {
            end = WordScan.SpacesEnd(text, from);
            return true;
        }

        int contraction = text[from] == '\'' ? ContractionLength(text[next..]) : 0;
        end = contraction > 0 ? next + contraction : WordScan.RunEnd(text, next, kind);
        return true;
    }

    private static int ContractionLength(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty)
        {
            return 0;
        }

        byte second = text.Length > 1 ? text[1] : (byte)0;
        return (text[0], second) switch
        {
            ((byte)'s' or (byte)'t' or (byte)'m' or (byte)'d', _) => 1,
            ((byte)'r' or (byte)'v', (byte)'e') or ((byte)'l', (byte)'l') => 2,
            _ => 0,
        };
    }
}
