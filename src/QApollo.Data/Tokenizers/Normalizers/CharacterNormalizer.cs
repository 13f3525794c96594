using System.Globalization;
using System.Text;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Normalizers;

/// <summary>Rewrites each code point on its own.</summary>
internal abstract class CharacterNormalizer : TextNormalizer
{
    public sealed override void Apply(ReadOnlySpan<byte> text, EncodeState state, ByteBuffer output)
    {
        for (int at = 0; at < text.Length;)
        {
            int codePoint = Utf8Text.Decode(text, at, out int length);
            if (Utf8Text.IsBroken(codePoint, length))
            {
                output.Add(text[at]);
            }
            else
            {
                Rewrite(codePoint, output);
            }

            at += length;
        }
    }

    protected abstract void Rewrite(int codePoint, ByteBuffer output);
}

internal sealed class LowercaseNormalizer : CharacterNormalizer
{
    protected override void Rewrite(int codePoint, ByteBuffer output)
    {
        if (codePoint == 0x130)
        {
            // The one code point whose lower case is two (SpecialCasing.txt).
            output.Add("i\u0307"u8);
        }
        else
        {
            output.AddCodePoint(Rune.ToLowerInvariant(new Rune(codePoint)).Value);
        }
    }
}

/// <summary>Drops marks; meant to follow NFD.</summary>
internal sealed class StripAccentsNormalizer : CharacterNormalizer
{
    protected override void Rewrite(int codePoint, ByteBuffer output)
    {
        if (CharUnicodeInfo.GetUnicodeCategory(codePoint)
            is not (UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark))
        {
            output.AddCodePoint(codePoint);
        }
    }
}

/// <summary>SentencePiece's nmt rules: controls are dropped, unusual spaces and invisible marks become spaces.</summary>
internal sealed class NmtNormalizer : CharacterNormalizer
{
    protected override void Rewrite(int codePoint, ByteBuffer output)
    {
        switch (codePoint)
        {
            case (>= 0x01 and <= 0x08) or 0x0B or (>= 0x0E and <= 0x1F) or 0x7F or 0x8F or 0x9F:
                break;
            case 0x09 or 0x0A or 0x0C or 0x0D or 0x1680 or (>= 0x200B and <= 0x200F) or 0x2028 or 0x2029 or 0x2581 or 0xFEFF or 0xFFFD:
                output.Add((byte)' ');
                break;
            default:
                output.AddCodePoint(codePoint);
                break;
        }
    }
}
