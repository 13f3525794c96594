using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Reflection;
using QApollo.Cli.Options;
using QApollo.Cli.Views;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo help train`, as `qapollo train --help`; and `qapollo version`, as `qapollo --version`.</summary>
internal static class HelpCommand
{
    public static Command Create()
    {
        var words = new Argument<string[]>("command") { Description = "The command to tell of.", Arity = ArgumentArity.ZeroOrMore };
        var command = new Command("help", "Tell what a command does and what options it has.");
        command.Arguments.Add(words);
        command.SetAction(parsed => Execute((RootCommand)parsed.RootCommandResult.Command, parsed.GetValue(words) ?? []));
        return command;
    }

    public static Command CreateVersion()
    {
        var command = new Command("version", "Tell the program's version.");
        command.SetAction(parsed =>
        {
            CommandLine.RequireNoMore(parsed);
            Console.WriteLine(Version);
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>Lets --help show the same.</summary>
    public static void AddTo(RootCommand root)
    {
        foreach (HelpOption help in root.Options.OfType<HelpOption>())
        {
            help.Action = new HelpAction();
        }
    }

    /// <summary>The program's, with the commit it was built from where that is known.</summary>
    public static string Version => Assembly.GetExecutingAssembly().GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    private static int Execute(RootCommand root, string[] words)
    {
        Command command = root;
        string path = "qapollo";
        foreach (string word in words)
        {
            if (command.Subcommands.FirstOrDefault(sub => sub.Name == word) is not { } sub)
            {
                throw new UsageException(string.Join(Environment.NewLine, UnknownWords.Describe(command, root, [word], path)));
            }

            (command, path) = (sub, $"{path} {word}");
        }

        Show(command, path, root);
        return ExitCode.Success;
    }

    private static void Show(Command command, string path, RootCommand root) =>
        Console.Write(HelpText.Of(command, path, root.Options.Where(option => option.Recursive), HelpText.TerminalWidth()));

    private sealed class HelpAction : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            CommandResult result = parseResult.CommandResult;
            Show(result.Command, CommandLine.PathOf(result), (RootCommand)parseResult.RootCommandResult.Command);
            return ExitCode.Success;
        }
    }
}
