using System.CommandLine;
using System.Text;
using QApollo.Cli.Options;
using QApollo.Files;
using QApollo.Reports.Runs;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo report`: a page with the curves of one run, or of several beside each other.</summary>
internal static class ReportCommand
{
    public const string FileName = "report.html";

    private const string Group = "Report";

    /// <summary>Between two pages of a run that goes on.</summary>
    private const int FollowSeconds = 5;

    private static readonly OptionSpec<string> Output = Spec.Text("--output", Group, "The page.", "a path", null, "report.html in the run's folder; for several runs here");

    private static readonly FlagSpec Follow = Spec.Flag("--follow", Group, "Write the page anew while a run goes on; it loads itself again.");

    public static Command Create()
    {
        var runs = new Argument<string[]>("run") { Description = "Folders of runs.", Arity = ArgumentArity.OneOrMore };
        var command = new Command("report", "Write a page with the curves, samples and options of runs.");
        command.Arguments.Add(runs);
        var commandLine = new CommandLine(command, [Output, Follow]);
        command.SetAction(parsed => Execute(commandLine.ReadOrThrow(parsed), parsed.GetValue(runs) ?? []));
        return command;
    }

    /// <summary>The page of a run that has just ended; a run does not fail for its page.</summary>
    /// <returns>A line that says why there is none; null when it was written.</returns>
    public static string? TryWrite(string run)
    {
        try
        {
            Write([run], Path.Combine(run, FileName), refreshSeconds: 0);
            return null;
        }
        catch (Exception exception) when (exception is RunFailedException or UsageException or IOException or UnauthorizedAccessException)
        {
            return $"no report: {exception.Message}";
        }
    }

    private static int Execute(OptionValues values, string[] runs)
    {
        string output = values.GetText(Output) ?? (runs.Length == 1 ? Path.Combine(runs[0], FileName) : FileName);
        using var interrupt = new InterruptSignal("stopping");
        bool follows = values.Get(Follow);
        while (true)
        {
            bool goesOn = follows && runs.Any(FolderLock.IsHeld) && !interrupt.Token.IsCancellationRequested;
            try
            {
                Write(runs, output, goesOn ? FollowSeconds : 0);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                throw new RunFailedException($"{output}: cannot be written: {exception.Message}", exception);
            }

            if (!goesOn)
            {
                Console.WriteLine(Path.GetFullPath(output));
                return interrupt.Token.IsCancellationRequested ? InterruptSignal.ExitCode ?? ExitCode.Failure : ExitCode.Success;
            }

            interrupt.Token.WaitHandle.WaitOne(TimeSpan.FromSeconds(FollowSeconds));
        }
    }

    private static void Write(string[] runs, string output, int refreshSeconds)
    {
        RunLog[] logs = [.. runs.Select(RunLog.Read)];
        PendingFile.WriteAll(output, Encoding.UTF8.GetBytes(RunReportHtml.Of(logs, refreshSeconds)));
    }
}
