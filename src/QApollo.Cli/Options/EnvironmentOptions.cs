using System.CommandLine;
using QApollo.Cli.Views;

namespace QApollo.Cli.Options;

/// <summary>
/// Options from variables: --batch-size from QAPOLLO_BATCH_SIZE. They stand in for the default, so that what a command line or a
/// run's run.json says goes before them: a resumed run stays as it is.
/// </summary>
internal static class EnvironmentOptions
{
    private const string Prefix = "QAPOLLO_";

    /// <summary>For the help.</summary>
    public const string Meaning =
        "Options can be given as variables too: QAPOLLO_BATCH_SIZE for --batch-size. A variable stands in for the default; the command line, --config and the options of a run that is resumed go before it.";

    public static string VariableOf(OptionSpec spec) => Prefix + spec.Name.TrimStart('-').Replace('-', '_').ToUpperInvariant();

    /// <summary>Takes the values of all options that have a variable; collects what is wrong.</summary>
    /// <param name="variable">A variable's value, or null.</param>
    public static void Read(OptionValues values, Func<string, string?> variable, ICollection<string> errors)
    {
        foreach (OptionSpec spec in values.Specs)
        {
            string name = VariableOf(spec);
            if (variable(name) is not { Length: > 0 } text)
            {
                continue;
            }

            string[] texts = spec.IsList ? text.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries) : [spec.IsFlag ? FlagText(text) : text];
            if (spec.TryParse(texts, out object? value, out string error))
            {
                values.SetFromEnvironment(spec, value!);
            }
            else
            {
                errors.Add(spec.IsFlag ? $"{name}: '{Printable.OnOneLine(text)}' is not valid; it takes 1 or 0" : $"{name}: {Printable.OnOneLine(error)}");
            }
        }
    }

    /// <summary>A line for each variable that is no option's, but nearly one.</summary>
    /// <param name="names">Of all variables that are set.</param>
    public static IEnumerable<string> Misspelt(Command root, IEnumerable<string> names)
    {
        string[] known = [.. OptionsOf(root).Select(VariableOf).Distinct()];
        foreach (string name in names.Where(name => name.StartsWith(Prefix, StringComparison.Ordinal) && !known.Contains(name)).Order(StringComparer.Ordinal))
        {
            string bare = name[Prefix.Length..];
            if (Spelling.Nearest(bare, known.Select(variable => variable[Prefix.Length..])) is { } nearest)
            {
                yield return $"note: {Printable.OnOneLine(name)} is no option's variable; did you mean {Prefix}{nearest}?";
            }
        }
    }

    private static string FlagText(string text) => text switch { "1" => "true", "0" => "false", _ => text };

    private static IEnumerable<OptionSpec> OptionsOf(Command command) =>
        command.Options.OfType<IDeclaredOption>().Select(option => option.Spec).Concat(command.Subcommands.SelectMany(OptionsOf));
}
