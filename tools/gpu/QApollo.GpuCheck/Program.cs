using System.CommandLine;
using System.CommandLine.Parsing;
using QApollo.Cuda.Driver;
using QApollo.GpuCheck.Commands;

namespace QApollo.GpuCheck;

/// <summary>Exit codes as the main program's: 0 all is well, 1 something failed, 2 the command line was wrong.</summary>
internal static class Program
{
    private static int Main(string[] args)
    {
        var root = new RootCommand("Checks of a real GPU that need neither .NET nor a test runner.");
        root.Subcommands.Add(ContractCommand.Create());
        root.Subcommands.Add(ParityCommand.Create());
        root.Subcommands.Add(LossesCommand.Create());
        root.Subcommands.Add(OperationsCommand.Create());
        root.Subcommands.Add(CostsCommand.Create());
        root.Subcommands.Add(HoldCommand.Create());
        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (ParseError error in parsed.Errors)
            {
                Console.Error.WriteLine(error.Message);
            }

            return 2;
        }

        try
        {
            return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (UsageException exception)
        {
            Console.Error.WriteLine($"qapollo-check: {exception.Message}");
            return 2;
        }
        catch (Exception exception) when (exception is CudaException or RunFailedException or OutOfMemoryException or IOException)
        {
            Console.Error.WriteLine($"qapollo-check: {exception.Message}");
            return 1;
        }
    }
}
