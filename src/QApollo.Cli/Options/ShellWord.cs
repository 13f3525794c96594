using System.Text;
using QApollo.Cli.Views;

namespace QApollo.Cli.Options;

/// <summary>Writes a text as one word of a command line.</summary>
internal static class ShellWord
{
    private const string HarmlessMarks = "_-./:,+@%";

    /// <summary>For this machine's usual shells: those of POSIX, or those of Windows.</summary>
    public static string Quote(string text) => OperatingSystem.IsWindows() ? QuoteForWindows(text) : QuoteForPosix(text);

    /// <summary>
    /// In single quotes, inside of which nothing has a meaning but the quote itself. What no terminal should be sent, and line
    /// ends and tabs, are escaped in $'...' (POSIX.1-2024, section 2.2.4): one line that the shell reads back as the same text.
    /// </summary>
    public static string QuoteForPosix(string text)
    {
        if (Printable.OnOneLine(text) != text)
        {
            return EscapeForPosix(text);
        }

        return IsHarmless(text) ? text : $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
    }

    /// <summary>In double quotes; quotes inside, and backslashes before a quote, are marked by backslashes.</summary>
    public static string QuoteForWindows(string text)
    {
        if (IsHarmless(text.Replace('\\', '/')))
        {
            return text;
        }

        var quoted = new StringBuilder("\"");
        int backslashes = 0;
        foreach (char character in text)
        {
            if (character == '"')
            {
                quoted.Append('\\', backslashes + 1);
            }

            quoted.Append(character);
            backslashes = character == '\\' ? backslashes + 1 : 0;
        }

        return quoted.Append('\\', backslashes).Append('"').ToString();
    }

    private static string EscapeForPosix(string text)
    {
        var quoted = new StringBuilder("$'");
        foreach (Rune rune in text.EnumerateRunes())
        {
            string character = rune.ToString();
            if (character is "'" or "\\")
            {
                quoted.Append('\\').Append(character);
            }
            else if (Printable.OnOneLine(character) == character)
            {
                quoted.Append(character);
            }
            else
            {
                foreach (byte unit in Encoding.UTF8.GetBytes(character))
                {
                    quoted.Append('\\').Append(Convert.ToString(unit, 8).PadLeft(3, '0'));
                }
            }
        }

        return quoted.Append('\'').ToString();
    }

    private static bool IsHarmless(string text) =>
        text.Length > 0 && text.All(character => char.IsLetterOrDigit(character) || HarmlessMarks.Contains(character, StringComparison.Ordinal));
}
