using System.CommandLine;
using System.CommandLine.Parsing;

namespace QApollo.Quality;

/// <summary>Exit codes as the main program's: 0 all is well, 1 something failed, 2 the command line was wrong.</summary>
internal static class Program
{
    private static int Main(string[] args)
    {
        var root = new RootCommand("Measures what storage and update rules cost in quality.");
        root.Subcommands.Add(ReplayCommand.Create());
        root.Subcommands.Add(StudyCommand.Create());
        root.Subcommands.Add(TablesCommand.Create());
        root.Subcommands.Add(PaperCommand.Create());
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
            Console.Error.WriteLine($"qapollo-quality: {exception.Message}");
            return 2;
        }
        catch (Exception exception) when (exception is RunFailedException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"qapollo-quality: {exception.Message}");
            return 1;
        }
    }
}
