using System.CommandLine;
using System.Text;
using QApollo.Cli.Options;

namespace QApollo.Cli.Views;

/// <summary>The help of a command: its options in the groups of the start-up echo, wrapped to the terminal.</summary>
internal static class HelpText
{
    private const int Indent = 2;
    private const int NameColumn = 24;

    /// <summary>Lines longer than this are hard to read, however wide the terminal.</summary>
    private const int Widest = 110;

    /// <summary>A second column narrower than this is none.</summary>
    private const int NarrowestText = 30;

    /// <summary>The columns of the terminal; those of a page where there is none.</summary>
    public static int TerminalWidth()
    {
        try
        {
            return Console.IsOutputRedirected || Console.WindowWidth < 1 ? Widest : Math.Min(Widest, Console.WindowWidth - 1);
        }
        catch (Exception exception) when (exception is IOException or PlatformNotSupportedException)
        {
            return Widest;
        }
    }

    /// <param name="path">What is typed to get to the command: "qapollo data prepare".</param>
    /// <param name="common">Options that every command has.</param>
    /// <param name="width">Columns of a line at most.</param>
    public static string Of(Command command, string path, IEnumerable<Option> common, int width)
    {
        var text = new StringBuilder();
        Wrap(text, command.Description ?? string.Empty, 0, width);
        string usage = command.Subcommands.Any(sub => !sub.Hidden) ? "<command> [options]" : "[options]";
        text.Append('\n').Append($"Usage: {path} {string.Concat(command.Arguments.Select(argument => $"<{argument.Name}>{(argument.Arity.MaximumNumberOfValues > 1 ? "..." : string.Empty)} "))}{usage}\n");
        AddRows(text, "Commands", command.Subcommands.Where(sub => !sub.Hidden).Select(sub => (sub.Name, sub.Description ?? string.Empty)), width);
        foreach (IGrouping<string, OptionSpec> group in command.Options.OfType<IDeclaredOption>().Select(option => option.Spec).GroupBy(spec => spec.Group))
        {
            AddRows(text, group.Key, group.Select(spec => (spec.IsFlag ? spec.Name : $"{spec.Name} {(spec.IsList ? "VALUES" : "VALUE")}", Describe(spec))), width);
        }

        IEnumerable<Option> others = common.Concat(command.Options).Distinct().Where(option => option is not IDeclaredOption && !option.Hidden);
        AddRows(text, "Always", others.Select(option => (Names(option), option.Description ?? string.Empty)), width);
        return text.ToString();
    }

    /// <summary>What an option does, takes and has by default.</summary>
    public static string Describe(OptionSpec spec)
    {
        string range = spec.RangeText switch
        {
            null => string.Empty,
            string text when text.StartsWith("a ", StringComparison.Ordinal) || text.StartsWith("paths", StringComparison.Ordinal) => $" Takes {text}.",
            string text => $" One of: {text}.",
        };
        return spec.Help + range + (spec.DefaultText is { } value ? $" Default: {value}." : string.Empty);
    }

    private static string Names(Option option) => string.Join(", ", option.Aliases.Where(alias => alias is not "/h" and not "/?" and not "-?").Append(option.Name).Distinct());

    private static void AddRows(StringBuilder text, string title, IEnumerable<(string Name, string Text)> rows, int width)
    {
        bool isFirst = true;
        bool hasColumns = width - NameColumn >= NarrowestText;
        foreach ((string name, string description) in rows)
        {
            if (isFirst)
            {
                text.Append('\n').Append(title).Append('\n');
                isFirst = false;
            }

            text.Append(' ', Indent).Append(name);
            if (hasColumns && Indent + name.Length + Indent <= NameColumn)
            {
                text.Append(' ', NameColumn - Indent - name.Length);
                Wrap(text, description, NameColumn, width, isIndented: true);
            }
            else
            {
                text.Append('\n');
                Wrap(text, description, hasColumns ? NameColumn : 3 * Indent, width);
            }
        }
    }

    /// <summary>Breaks at spaces; a longer word has a line of its own.</summary>
    /// <param name="isIndented">The first line has its indent already.</param>
    private static void Wrap(StringBuilder text, string content, int indent, int width, bool isIndented = false)
    {
        int column = isIndented ? indent : 0;
        foreach (string word in content.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (column > indent && column + 1 + word.Length > width)
            {
                text.Append('\n');
                column = 0;
            }

            if (column < indent)
            {
                text.Append(' ', indent - column);
                column = indent;
            }
            else if (column > indent)
            {
                text.Append(' ');
                column++;
            }

            text.Append(word);
            column += word.Length;
        }

        text.Append('\n');
    }
}
