using System.Text;

namespace QApollo.Cli.Options;

/// <summary>Writes a text as one word of a command line.</summary>
internal static class ShellWord
{
    private const string HarmlessMarks = "_-./:,+@%";

    /// <summary>For this machine's usual shells: those of POSIX, or those of Windows.</summary>
    public static string Quote(string text) => OperatingSystem.IsWindows() ? QuoteForWindows(text) : QuoteForPosix(text);

    /// <summary>In single quotes, inside of which nothing has a meaning but the quote itself.</summary>
    public static string QuoteForPosix(string text) =>
        IsHarmless(text) ? text : $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

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

    private static bool IsHarmless(string text) =>
        text.Length > 0 && text.All(character => char.IsLetterOrDigit(character) || HarmlessMarks.Contains(character, StringComparison.Ordinal));
}
