using System.Buffers;
using System.Text;

namespace QApollo.Data.Tokenizers.Text;

/// <summary>
/// Code points of UTF-8 text that may be broken: each byte that is no part of a valid sequence is a unit of its own,
/// classified as U+FFFD but kept as it is, so that splitting loses nothing. Valid sequences never overlap such units,
/// so reading forward and backward finds the same ones.
/// </summary>
internal static class Utf8Text
{
    public const int Replacement = 0xFFFD;

    public const int CodePoints = 0x110000;

    /// <summary>The code point at <paramref name="at"/>; <see cref="Replacement"/> of one byte where none is.</summary>
    public static int Decode(ReadOnlySpan<byte> text, int at, out int length)
    {
        byte first = text[at];
        if (first < 0x80)
        {
            length = 1;
            return first;
        }

        if (Rune.DecodeFromUtf8(text[at..], out Rune rune, out length) == OperationStatus.Done)
        {
            return rune.Value;
        }

        length = 1;
        return Replacement;
    }

    /// <summary>The code point that ends at <paramref name="end"/>, which must be greater than 0.</summary>
    public static int DecodeBefore(ReadOnlySpan<byte> text, int end, out int length)
    {
        byte last = text[end - 1];
        if (last < 0x80)
        {
            length = 1;
            return last;
        }

        for (length = 2; length <= 4 && length <= end; length++)
        {
            int start = end - length;
            if ((text[start] & 0xC0) != 0x80)
            {
                int codePoint = Decode(text, start, out int decoded);
                if (decoded == length)
                {
                    return codePoint;
                }

                break;
            }
        }

        length = 1;
        return Replacement;
    }

    /// <summary>Whether the byte is a broken unit: <see cref="Decode"/> gave <see cref="Replacement"/> of one byte.</summary>
    public static bool IsBroken(int codePoint, int length) => codePoint == Replacement && length == 1;

    public static int Encode(int codePoint, Span<byte> utf8) => new Rune(codePoint).EncodeToUtf8(utf8);
}
