using System.CommandLine;
using System.CommandLine.Parsing;

namespace QApollo.Cli.Options;

/// <summary>Connects declared options to the command-line parser.</summary>
internal sealed class CommandLine
{
    private readonly Dictionary<OptionSpec, Option<string[]>> _options = [];
    private readonly Dictionary<OptionSpec, Option<bool>> _flags = [];
    private readonly IReadOnlyList<OptionSpec> _specs;

    /// <summary>Adds the options to a command.</summary>
    public CommandLine(Command command, IReadOnlyList<OptionSpec> specs)
    {
        _specs = specs;
        foreach (OptionSpec spec in specs)
        {
            if (spec.IsFlag)
            {
                var flag = new DeclaredFlag(spec);
                _flags.Add(spec, flag);
                command.Options.Add(flag);
            }
            else
            {
                var option = new DeclaredOption(spec);
                _options.Add(spec, option);
                command.Options.Add(option);
            }
        }
    }

    /// <summary>"qapollo data prepare": what was typed to get there.</summary>
    public static string PathOf(CommandResult result) =>
        result.Parent is CommandResult parent ? $"{PathOf(parent)} {result.Command.Name}" : "qapollo";

    /// <summary>For commands without options of their own.</summary>
    /// <exception cref="UsageException">There are words that the command does not know.</exception>
    public static void RequireNoMore(ParseResult result)
    {
        if (result.UnmatchedTokens.Count > 0)
        {
            throw new UsageException(string.Join(
                Environment.NewLine, UnknownWords.Describe(result.CommandResult.Command, (RootCommand)result.RootCommandResult.Command, result.UnmatchedTokens, PathOf(result.CommandResult))));
        }
    }

    /// <summary>Reads the given options; every fault is added to <paramref name="errors"/>.</summary>
    public OptionValues Read(ParseResult result, ICollection<string> errors)
    {
        var values = new OptionValues(_specs);
        var root = (RootCommand)result.RootCommandResult.Command;
        foreach (string error in UnknownWords.Describe(result.CommandResult.Command, root, result.UnmatchedTokens, PathOf(result.CommandResult)))
        {
            errors.Add(error);
        }

        foreach ((OptionSpec spec, Option<string[]> option) in _options)
        {
            if (result.GetResult(option) is { Implicit: false } given)
            {
                string[] words = [.. given.Tokens.Select(token => token.Value)];
                if (!spec.IsList && words.Length == given.IdentifierTokenCount)
                {
                    // Given again, to change what a script or an earlier line said: the last one counts.
                    words = words[^1..];
                }
                else if (!spec.IsList)
                {
                    words = [];
                }

                if (spec.TryParse(words, out object? value, out string error))
                {
                    values.Set(spec, value!);
                }
                else
                {
                    errors.Add(error);
                }
            }
        }

        foreach ((OptionSpec spec, Option<bool> flag) in _flags)
        {
            if (result.GetValue(flag))
            {
                values.Set(spec, true);
            }
        }

        EnvironmentOptions.Read(values, Environment.GetEnvironmentVariable, errors);
        foreach (string note in EnvironmentOptions.Misspelt(root, Environment.GetEnvironmentVariables().Keys.Cast<string>()))
        {
            Console.Error.WriteLine(note);
        }

        return values;
    }

    /// <summary>As <see cref="Read"/>, for commands that need no more checks.</summary>
    /// <exception cref="UsageException">All faults of the command line, a line each.</exception>
    public OptionValues ReadOrThrow(ParseResult result)
    {
        var errors = new List<string>();
        OptionValues values = Read(result, errors);
        return errors.Count == 0 ? values : throw new UsageException(string.Join(Environment.NewLine, errors));
    }
}
