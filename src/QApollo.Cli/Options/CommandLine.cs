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
                var flag = new Option<bool>(spec.Name) { Description = spec.Help };
                _flags.Add(spec, flag);
                command.Options.Add(flag);
            }
            else
            {
                var option = new Option<string[]>(spec.Name)
                {
                    Description = Describe(spec),
                    HelpName = "value",
                    Arity = ArgumentArity.ZeroOrMore,
                    AllowMultipleArgumentsPerToken = spec.IsList,
                };
                _options.Add(spec, option);
                command.Options.Add(option);
            }
        }
    }

    /// <summary>"qapollo data prepare": what was typed to get there.</summary>
    public static string PathOf(CommandResult result) =>
        result.Parent is CommandResult parent ? $"{PathOf(parent)} {result.Command.Name}" : "qapollo";

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
                if (spec.TryParse([.. given.Tokens.Select(token => token.Value)], out object? value, out string error))
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

    private static string Describe(OptionSpec spec)
    {
        string range = spec.RangeText is null ? string.Empty : $" One of: {spec.RangeText}.";
        if (spec.RangeText is { } text && (text.StartsWith("a ", StringComparison.Ordinal) || text.StartsWith("paths", StringComparison.Ordinal)))
        {
            range = $" Takes {text}.";
        }

        string defaultText = spec.DefaultText is { } value ? $" Default: {value}." : string.Empty;
        return spec.Help + range + defaultText;
    }
}
