namespace QApollo.Cli.Views;

/// <summary>Text from elsewhere as a terminal may show it.</summary>
internal static class Printable
{
    /// <summary>
    /// Replaces by U+FFFD, in place, what would steer a terminal or hide what a text says: control characters other than
    /// tab and line end, and those that turn the direction of what follows.
    /// </summary>
    public static void Clean(Span<char> text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            bool isLineEnd = text[i] == '\r' && i + 1 < text.Length && text[i + 1] == '\n';
            if (Steers(text[i]) && !isLineEnd)
            {
                text[i] = '\uFFFD';
            }
        }
    }

    /// <summary>As the other, for a text of its own.</summary>
    public static string Clean(string text)
    {
        foreach (char character in text)
        {
            if (Steers(character))
            {
                char[] characters = text.ToCharArray();
                Clean(characters);
                return new string(characters);
            }
        }

        return text;
    }

    /// <summary>On one line, with line feeds and tabs as spaces.</summary>
    public static string OnOneLine(string text)
    {
        char[] characters = text.ToCharArray();
        Clean(characters);
        foreach (ref char character in characters.AsSpan())
        {
            character = character is '\n' or '\r' or '\t' ? ' ' : character;
        }

        return new string(characters);
    }

    private static bool Steers(char character) =>
        (char.IsControl(character) && character is not ('\n' or '\t')) || character is (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069');
}
