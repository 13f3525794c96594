using System.Buffers;

namespace QApollo.Data;

/// <summary>
/// Long documents are tokenized in pieces, so that memory stays bounded. They are cut where tokenizers split anyway: at the
/// beginning of a line, else before a space, else between two characters.
/// </summary>
internal static class TextPiece
{
    /// <summary>Documents up to this size are one piece. Frozen: cached token shards depend on it.</summary>
    public const int MaxBytes = 1 << 20;

    private static readonly SearchValues<byte> WhiteSpace = SearchValues.Create(" \t\r\n\f\v"u8);

    /// <summary>The length of the first piece of a text that is longer than <see cref="MaxBytes"/>: 1 .. <see cref="MaxBytes"/>.</summary>
    public static int Cut(ReadOnlySpan<byte> text)
    {
        ReadOnlySpan<byte> head = text[..MaxBytes];
        int line = head.LastIndexOf((byte)'\n');
        while (line >= 0)
        {
            if (!WhiteSpace.Contains(text[line + 1]))
            {
                return line + 1;
            }

            line = head[..line].LastIndexOf((byte)'\n');
        }

        int space = head.LastIndexOf((byte)' ');
        while (space > 0)
        {
            if (!WhiteSpace.Contains(text[space - 1]) && !WhiteSpace.Contains(text[space + 1]))
            {
                return space;
            }

            space = head[..space].LastIndexOf((byte)' ');
        }

        return Character(head);
    }

    /// <summary>All of <paramref name="head"/> but a character begun in its last three bytes and not complete.</summary>
    private static int Character(ReadOnlySpan<byte> head)
    {
        for (int back = 1; back <= 3; back++)
        {
            byte lead = head[^back];
            int size = lead switch { >= 0xF0 => 4, >= 0xE0 => 3, >= 0xC0 => 2, >= 0x80 => 0, _ => 1 };
            if (size > 0)
            {
                return size > back ? head.Length - back : head.Length;
            }
        }

        return head.Length;
    }
}
