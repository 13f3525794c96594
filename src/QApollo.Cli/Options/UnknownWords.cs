using System.CommandLine;

namespace QApollo.Cli.Options;

/// <summary>
/// Words of a command line that no command knows. A word that begins with dashes is never a value, or a misspelt option would be
/// taken for one more value of the option before it; a value that does is written with an equals sign: --prompt=--x.
/// </summary>
internal static class UnknownWords
{
    private const string EndOfOptions = "--";

    /// <summary>The command line with unknown options, and the words behind each, moved behind a "--": there the parser takes them for nothing.</summary>
    public static string[] MoveBack(RootCommand root, IReadOnlyList<string> words)
    {
        var known = new List<string>();
        var unknown = new List<string>();
        Command command = root;
        bool isUnknown = false;
        foreach (string word in words)
        {
            if (IsOption(word))
            {
                isUnknown = (isUnknown && unknown.Contains(EndOfOptions)) || !Names(command, root).Contains(NameOf(word));
            }
            else if (command.Subcommands.FirstOrDefault(sub => sub.Name == word) is { } sub)
            {
                (command, isUnknown) = (sub, false);
            }

            (isUnknown ? unknown : known).Add(word);
        }

        return unknown.Count == 0 ? [.. known] : [.. known, EndOfOptions, .. unknown];
    }

    /// <summary>A line for each word, or for each option with the words behind it; the nearest known one where it is near.</summary>
    /// <param name="words">As they came, without those that are known.</param>
    /// <param name="see">The command whose help tells more.</param>
    public static IEnumerable<string> Describe(Command command, RootCommand root, IReadOnlyList<string> words, string see)
    {
        for (int begin = 0; begin < words.Count;)
        {
            bool isOption = IsOption(words[begin]);
            int end = begin + 1;
            while (isOption && end < words.Count && !IsOption(words[end]))
            {
                end++;
            }

            string shown = string.Join(' ', words.Skip(begin).Take(end - begin));
            IEnumerable<string> names = isOption ? Names(command, root).Where(name => name.StartsWith("--", StringComparison.Ordinal)) : command.Subcommands.Select(sub => sub.Name);
            string? nearest = Spelling.Nearest(isOption ? NameOf(words[begin]) : words[begin], names);
            string what = isOption ? "unknown option" : command.Subcommands.Count > 0 ? "unknown command" : $"{see} takes options only";
            yield return $"{shown}: {what}{(nearest is null ? string.Empty : $"; did you mean {nearest}?")}; see: {see} --help";
            begin = end;
        }
    }

    /// <summary>"--x", "-x" or "--"; not a number, nor a text that begins with a dash and a space.</summary>
    public static bool IsOption(string word) =>
        word.Length > 1 && word[0] == '-' && (word[1] is '-' or '?' || char.IsLetter(word[1]));

    private static string NameOf(string word) => word.Split('=', ':')[0];

    private static IEnumerable<string> Names(Command command, RootCommand root) =>
        command.Options.Concat(root.Options.Where(option => option.Recursive))
            .SelectMany(option => option.Aliases.Prepend(option.Name));
}
