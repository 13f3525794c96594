using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Pipeline;

/// <summary>
/// The printable character that stands for each byte in byte-level vocabularies (GPT-2's bytes_to_unicode): itself
/// where it is printable in Latin-1, else the next one from U+0100 on.
/// </summary>
internal static class ByteLevelAlphabet
{
    private const int Bytes = 256;

    private static readonly char[] ToCharacter = Build();
    private static readonly short[] ToByte = Invert();

    public static char Character(byte value) => ToCharacter[value];

    /// <summary>The bytes in the order of their characters: the order of a trained vocabulary's first 256 tokens.</summary>
    public static byte[] BytesByCharacter() => [.. Enumerable.Range(0, Bytes).Select(i => (byte)i).OrderBy(Character)];

    /// <summary>The text with a character for each byte.</summary>
    public static void Map(ReadOnlySpan<byte> bytes, ByteBuffer output)
    {
        foreach (byte value in bytes)
        {
            char character = ToCharacter[value];
            if (character < 0x80)
            {
                output.Add((byte)character);
            }
            else
            {
                output.Add((byte)(0xC0 | (character >> 6)));
                output.Add((byte)(0x80 | (character & 0x3F)));
            }
        }
    }

    /// <summary>The bytes behind a text; false, with output undefined, when a character stands for none.</summary>
    public static bool TryUnmap(ReadOnlySpan<byte> text, ByteBuffer output)
    {
        for (int at = 0; at < text.Length;)
        {
            int character = Utf8Text.Decode(text, at, out int length);
            int value = character < ToByte.Length ? ToByte[character] : -1;
            if (value < 0)
            {
                return false;
            }

            output.Add((byte)value);
            at += length;
        }

        return true;
    }

    private static char[] Build()
    {
        var characters = new char[Bytes];
        char next = '\u0100';
        for (int value = 0; value < Bytes; value++)
        {
            bool printable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            characters[value] = printable ? (char)value : next++;
        }

        return characters;
    }

    private static short[] Invert()
    {
        var bytes = new short[ToCharacter.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (short value = 0; value < Bytes; value++)
        {
            bytes[ToCharacter[value]] = value;
        }

        return bytes;
    }
}
