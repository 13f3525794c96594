using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text;
using QApollo.Cli.Commands;
using QApollo.Cuda.Driver;

namespace QApollo.Cli;

internal static class Program
{
    private static int Main(string[] args)
    {
        if (OperatingSystem.IsWindows())
        {
            // The console's own code page has neither the screen's block characters nor most of what models write.
            Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        }

        var root = new RootCommand("Pre-train LLaMA models on one consumer GPU, in INT8, with APOLLO-Mini.");
        var verbose = new Option<bool>("--verbose") { Description = "Show where an error came from.", Recursive = true };
        root.Options.Add(verbose);
        root.Subcommands.Add(TrainCommand.Create());
        root.Subcommands.Add(GenerateCommand.Create());
        root.Subcommands.Add(EvalCommand.Create());
        root.Subcommands.Add(ExportCommand.Create());
        root.Subcommands.Add(DataCommand.Create());
        root.Subcommands.Add(TokenizerCommand.Create());
        root.Subcommands.Add(PresetsCommand.Create());
        root.Subcommands.Add(PlanCommand.Create());
        root.Subcommands.Add(ProfileCommand.Create());
        root.Subcommands.Add(BenchCommand.Create());
        root.Subcommands.Add(DoctorCommand.Create());

        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0 && parsed.CommandResult.Command.Action is not null)
        {
            // The command tells what it does not know together with everything else that is wrong. Not from the beginning:
            // its help would offer further arguments.
            parsed.CommandResult.Command.TreatUnmatchedTokensAsErrors = false;
            parsed = root.Parse(args);
        }

        if (parsed.Errors.Count > 0)
        {
            foreach (ParseError error in parsed.Errors)
            {
                Console.Error.WriteLine(error.Message);
            }

            Console.Error.WriteLine($"see: {Options.CommandLine.PathOf(parsed.CommandResult)} --help");
            return ExitCode.Usage;
        }

        try
        {
            return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (UsageException exception)
        {
            return Report(exception, parsed.GetValue(verbose), ExitCode.Usage);
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("qapollo: stopped");
            return ExitCode.Failure;
        }
        catch (Exception exception) when (exception is RunFailedException or CudaException or OutOfMemoryException or IOException or UnauthorizedAccessException)
        {
            return Report(exception, parsed.GetValue(verbose), ExitCode.Failure);
        }
    }

    private static int Report(Exception exception, bool verbose, int exitCode)
    {
        Console.Error.WriteLine($"qapollo: {(verbose ? exception.ToString() : exception.Message)}");
        return exitCode;
    }
}
