using System.Globalization;
using System.Text;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Normalizers;

/// <summary>
/// A character map as tokenizer.json applies it: a user-perceived character of up to 5 bytes as a whole, by its
/// shortest known prefix; a longer one, or one without such a prefix, code point by code point.
/// </summary>
internal sealed class PrecompiledNormalizer(CharacterMap map) : TextNormalizer
{
    private const int WholeBytes = 5;
    private const int Window = 64;

    public override void Apply(ReadOnlySpan<byte> text, EncodeState state, ByteBuffer output)
    {
        while (!text.IsEmpty)
        {
            int length = CharacterLength(text);
            ReadOnlySpan<byte> character = text[..length];
            text = text[length..];
            if (length <= WholeBytes && map.TryMatch(character, longest: false, out _, out ReadOnlySpan<byte> whole))
            {
                output.Add(whole);
                continue;
            }

            while (!character.IsEmpty)
            {
                Utf8Text.Decode(character, 0, out int part);
                bool known = map.TryMatch(character[..part], longest: false, out _, out ReadOnlySpan<byte> replacement);
                output.Add(known ? replacement : character[..part]);
                character = character[part..];
            }
        }
    }

    /// <summary>The bytes of the first extended grapheme cluster; a very long one counts as several.</summary>
    private static int CharacterLength(ReadOnlySpan<byte> text)
    {
        if (text[0] < 0x80 && (text.Length == 1 || (text[1] < 0x80 && !text.StartsWith("\r\n"u8))))
        {
            return 1;
        }

        Span<char> window = stackalloc char[Window];
        Span<byte> lengths = stackalloc byte[Window];
        int count = 0;
        for (int at = 0; at < text.Length && count + 2 <= Window;)
        {
            int codePoint = Utf8Text.Decode(text, at, out int length);
            int units = new Rune(codePoint).EncodeToUtf16(window[count..]);
            lengths[count] = (byte)length;
            lengths[count + units - 1] = units == 1 ? (byte)length : (byte)0;
            count += units;
            at += length;
        }

        int bytes = 0;
        foreach (byte length in lengths[..StringInfo.GetNextTextElementLength(window[..count])])
        {
            bytes += length;
        }

        return bytes;
    }
}
