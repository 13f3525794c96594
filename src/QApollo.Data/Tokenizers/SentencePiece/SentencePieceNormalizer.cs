using QApollo.Data.Tokenizers.Models;
using QApollo.Data.Tokenizers.Normalizers;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.SentencePiece;

/// <summary>
/// The text as SentencePiece's models see it: characters mapped, white space squeezed and shown as U+2581, one in
/// front. Follows normalizer.cc; bytes that are no UTF-8 become U+FFFD one by one.
/// </summary>
/// <param name="userDefined">Pieces that the character map leaves alone.</param>
internal sealed class SentencePieceNormalizer(SentencePieceFile file, ByteTrie userDefined)
{
    private readonly CharacterMap? _map = file.CharacterMap.Length > 0 ? new CharacterMap(file.CharacterMap) : null;

    public void Apply(ReadOnlySpan<byte> text, ByteBuffer output)
    {
        if (file.RemoveExtraWhitespaces)
        {
            text = SkipSpaces(text);
        }

        if (text.IsEmpty)
        {
            return;
        }

        if (file.AddDummyPrefix && !file.WhitespaceAsSuffix)
        {
            AddSpace(output);
        }

        bool spaceBefore = file.RemoveExtraWhitespaces;
        while (!text.IsEmpty)
        {
            ReadOnlySpan<byte> mapped = MapPrefix(text, out int length);
            text = text[length..];
            if (spaceBefore)
            {
                mapped = mapped.TrimStart((byte)' ');
            }

            if (!mapped.IsEmpty)
            {
                Add(mapped, output);
                spaceBefore = file.RemoveExtraWhitespaces && mapped[^1] == (byte)' ';
            }
        }

        if (file.RemoveExtraWhitespaces)
        {
            ReadOnlySpan<byte> space = file.EscapeWhitespaces ? BpeModel.WordMark : " "u8;
            while (output.Written.EndsWith(space))
            {
                output.Truncate(output.Length - space.Length);
            }
        }

        if (file.AddDummyPrefix && file.WhitespaceAsSuffix)
        {
            AddSpace(output);
        }
    }

    private ReadOnlySpan<byte> SkipSpaces(ReadOnlySpan<byte> text)
    {
        while (!text.IsEmpty && MapPrefix(text, out int length).SequenceEqual(" "u8))
        {
            text = text[length..];
        }

        return text;
    }

    /// <summary>What the first bytes of the text become, and how many they are.</summary>
    private ReadOnlySpan<byte> MapPrefix(ReadOnlySpan<byte> text, out int length)
    {
        if (!userDefined.IsEmpty)
        {
            (length, int found) = userDefined.LongestPrefix(text);
            if (found != ByteTrie.None)
            {
                return text[..length];
            }
        }

        if (_map is not null && _map.TryMatch(text, longest: true, out length, out ReadOnlySpan<byte> replacement))
        {
            return replacement;
        }

        int codePoint = Utf8Text.Decode(text, 0, out length);
        return Utf8Text.IsBroken(codePoint, length) ? "\uFFFD"u8 : text[..length];
    }

    private void Add(ReadOnlySpan<byte> text, ByteBuffer output)
    {
        if (!file.EscapeWhitespaces)
        {
            output.Add(text);
            return;
        }

        for (int space = text.IndexOf((byte)' '); space >= 0; space = text.IndexOf((byte)' '))
        {
            output.Add(text[..space]);
            AddSpace(output);
            text = text[(space + 1)..];
        }

        output.Add(text);
    }

    private void AddSpace(ByteBuffer output) => output.Add(file.EscapeWhitespaces ? BpeModel.WordMark : " "u8);
}
