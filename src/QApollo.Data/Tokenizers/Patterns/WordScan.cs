using System.Runtime.CompilerServices;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Patterns;

/// <summary>Steps that the hand-written matchers share.</summary>
internal static class WordScan
{
    private const CharacterClass Kinds = CharacterClass.Letter | CharacterClass.Number | CharacterClass.Space;

    /// <summary>Letter 1, number 2, space 4 (<see cref="CharacterClass"/>).</summary>
    private static ReadOnlySpan<byte> AsciiKinds =>
    [
        0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 4, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0,
        0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0,
        0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0,
    ];

    /// <summary>Letter, number, space or none of them; <paramref name="next"/> is where the code point ends.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static CharacterClass Kind(ReadOnlySpan<byte> text, int at, out int next)
    {
        byte first = text[at];
        if (first >= 0x80)
        {
            return KindBeyondAscii(text, at, out next);
        }

        next = at + 1;
        return (CharacterClass)AsciiKinds[first];
    }

    private static CharacterClass KindBeyondAscii(ReadOnlySpan<byte> text, int at, out int next)
    {
        int codePoint = Utf8Text.Decode(text, at, out int length);
        next = at + length;
        return CharacterClasses.Of(codePoint) & Kinds;
    }

    /// <summary>The end of the run of one kind that begins at <paramref name="at"/>, at most so many code points long.</summary>
    public static int RunEnd(ReadOnlySpan<byte> text, int at, CharacterClass kind, int most = int.MaxValue)
    {
        while (at < text.Length && most-- > 0 && Kind(text, at, out int next) == kind)
        {
            at = next;
        }

        return at;
    }

    /// <summary>Where the white space at the end of a text begins.</summary>
    public static int SpacesStart(ReadOnlySpan<byte> text)
    {
        int start = text.Length;
        while (start > 0 && CharacterClasses.IsWhiteSpace(Utf8Text.DecodeBefore(text, start, out int length)))
        {
            start -= length;
        }

        return start;
    }

    /// <summary>\s+(?!\S)|\s+ from a space: the run, without its last code point when a non-space follows and more than one is there.</summary>
    public static int SpacesEnd(ReadOnlySpan<byte> text, int at)
    {
        int end = RunEnd(text, at, CharacterClass.Space);
        if (end == text.Length)
        {
            return end;
        }

        Utf8Text.DecodeBefore(text, end, out int last);
        return end - last > at ? end - last : end;
    }
}
