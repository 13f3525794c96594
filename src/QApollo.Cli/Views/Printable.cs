namespace QApollo.Cli.Views;

/// <summary>Text by a model as a terminal may show it.</summary>
internal static class Printable
{
    /// <summary>Replaces control characters other than tab and line feed by U+FFFD, in place.</summary>
    public static void Clean(Span<char> text)
    {
        foreach (ref char character in text)
        {
            if (char.IsControl(character) && character is not ('\n' or '\t'))
            {
                character = '\uFFFD';
            }
        }
    }

    /// <summary>On one line, with line feeds and tabs as spaces.</summary>
    public static string OnOneLine(string text)
    {
        char[] characters = text.ToCharArray();
        Clean(characters);
        foreach (ref char character in characters.AsSpan())
        {
            character = character is '\n' or '\t' ? ' ' : character;
        }

        return new string(characters);
    }
}
