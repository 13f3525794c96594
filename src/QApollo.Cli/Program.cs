using System.CommandLine;
using System.Runtime.CompilerServices;
using System.Text;
using QApollo.Cli.Commands;
using QApollo.Cli.Options;
using QApollo.Cli.Views;

namespace QApollo.Cli;

internal static class Program
{
    private const string VerboseOption = "--verbose";

    private static int Main(string[] args)
    {
        // Here stands nothing that would have to be loaded before there is a handler.
        bool verbose = Array.IndexOf(args, VerboseOption) >= 0;
        try
        {
            return Run(args, verbose);
        }
        catch (Exception exception)
        {
            return ErrorReport.Write(exception, verbose);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Run(string[] args, bool verbose)
    {
        if (OperatingSystem.IsWindows())
        {
            // The console's own code page has neither the screen's block characters nor most of what models write.
            Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        }

        Terminal.Open();
        ErrorReport.CatchAll(verbose);
        RootCommand root = CreateRoot();
        ParseResult parsed = Parse(root, args);
        if (parsed.Errors.Count > 0 && parsed.CommandResult.Command.Action is not null)
        {
            // The command tells what it does not know together with everything else that is wrong. Not from the beginning:
            // its help would offer further arguments.
            parsed.CommandResult.Command.TreatUnmatchedTokensAsErrors = false;
            parsed = Parse(root, args);
        }

        return parsed.Errors.Count > 0 ? Refuse(root, parsed) : Invoke(parsed);
    }

    /// <summary>Values may begin with "@": they are no files of more options.</summary>
    internal static ParseResult Parse(RootCommand root, string[] args) =>
        root.Parse(UnknownWords.MoveBack(root, args), new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });

    private static int Refuse(RootCommand root, ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        string path = CommandLine.PathOf(parsed.CommandResult);
        string[] errors = [.. UnknownWords.Describe(command, root, parsed.UnmatchedTokens, path)];
        if (errors.Length == 0)
        {
            errors = command.Action is null
                ? [$"{path}: needs a command: {string.Join(", ", command.Subcommands.Select(sub => sub.Name))}; see: {path} --help"]
                : [.. parsed.Errors.Select(error => error.Message)];
        }

        string begin = errors[0].StartsWith("qapollo", StringComparison.Ordinal) ? string.Empty : "qapollo: ";
        Console.Error.WriteLine(begin + string.Join(Environment.NewLine, errors));
        return ExitCode.Usage;
    }

    private static int Invoke(ParseResult parsed) =>
        parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });

    /// <summary>All commands with their options.</summary>
    internal static RootCommand CreateRoot()
    {
        var root = new RootCommand($"Pre-train LLaMA models on one consumer GPU, in INT8, with APOLLO-Mini. {ExitCode.Meaning} {EnvironmentOptions.Meaning}");
        root.Options.Add(new Option<bool>(VerboseOption) { Description = "Show where an error came from, and every option in force.", Recursive = true });
        root.Subcommands.Add(TrainCommand.Create());
        root.Subcommands.Add(GenerateCommand.Create());
        root.Subcommands.Add(EvalCommand.Create());
        root.Subcommands.Add(ExportCommand.Create());
        root.Subcommands.Add(DataCommand.Create());
        root.Subcommands.Add(TokenizerCommand.Create());
        root.Subcommands.Add(CacheCommand.Create());
        root.Subcommands.Add(RunsCommand.Create());
        root.Subcommands.Add(ReportCommand.Create());
        root.Subcommands.Add(PresetsCommand.Create());
        root.Subcommands.Add(PlanCommand.Create());
        root.Subcommands.Add(ProfileCommand.Create());
        root.Subcommands.Add(BenchCommand.Create());
        root.Subcommands.Add(DoctorCommand.Create());
        root.Subcommands.Add(HelpCommand.Create());
        root.Subcommands.Add(HelpCommand.CreateVersion());
        root.Subcommands.Add(CompletionCommand.Create(root));
        HelpCommand.AddTo(root);
        return root;
    }
}
