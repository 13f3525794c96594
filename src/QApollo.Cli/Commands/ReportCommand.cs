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

    private const string Group = "Report", NotOurs = "exists and is no page of this program";

    /// <summary>Between two pages of a run that goes on.</summary>
    private const int FollowSeconds = 5;

    /// <summary>Of a curve: of all runs together, and of one run.</summary>
    private const int MostPoints = 8192, LeastPoints = 64;

    /// <summary>At writing: another report may be writing the same page, which is a matter of a moment.</summary>
    private const int Attempts = 20;

    private static readonly TimeSpan BetweenAttempts = TimeSpan.FromMilliseconds(100);

    private static readonly OptionSpec<string> Output = Spec.Text("--output", Group, "The page.", "a path", null, "report.html in the run's folder; for several runs here");

    private static readonly FlagSpec Follow = Spec.Flag("--follow", Group, "Write the page anew while a run goes on; it loads itself again.");

    public static Command Create()
    {
        var runs = new Argument<string[]>("run") { Description = "Folders of runs.", Arity = ArgumentArity.OneOrMore };
        var command = new Command("report", "Write a page with the curves, samples and options of runs.");
        command.Arguments.Add(runs);
        var commandLine = new CommandLine(command, [Output, Follow, OutputFile.Force]);
        command.SetAction(parsed => Execute(commandLine.ReadOrThrow(parsed), parsed.GetValue(runs) ?? []));
        return command;
    }

    /// <summary>The page of a run that has just ended; a run does not fail for its page.</summary>
    /// <returns>A line that says why there is none; null when it was written.</returns>
    public static string? TryWrite(string run)
    {
        try
        {
            string page = Path.Combine(run, FileName);
            RunLog[] logs = Read([run]);
            OutputFile.Require(Output, page, RunReportHtml.IsPage(page), NotOurs);
            Write(logs, page, refreshSeconds: 0);
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
        for (bool isFirst = true; ; isFirst = false)
        {
            bool goesOn = follows && runs.Any(FolderLock.IsHeld) && !interrupt.Token.IsCancellationRequested;
            try
            {
                RunLog[] logs = Read(runs);
                OutputFile.Require(Output, output, values.Get(OutputFile.Force) || RunReportHtml.IsPage(output), NotOurs);
                Write(logs, output, goesOn ? FollowSeconds : 0);
                foreach (string note in isFirst ? logs.SelectMany(log => log.Notes) : [])
                {
                    Console.Error.WriteLine($"note: {note}");
                }
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

    /// <summary>Each run once; those whose folders have the same name are told apart by their paths.</summary>
    private static RunLog[] Read(string[] runs)
    {
        // What no option and no folder is was meant as an option.
        if (runs.FirstOrDefault(run => run.Length == 0 || (run.StartsWith("--", StringComparison.Ordinal) && !Directory.Exists(run))) is { } wrong)
        {
            throw new UsageException(wrong.Length == 0 ? "the name of a run is empty" : $"{wrong}: report has no such option");
        }

        string[] distinct = [.. runs.DistinctBy(run => Path.TrimEndingDirectorySeparator(Path.GetFullPath(run)))];
        // A page of many runs stays of a size that browsers take.
        int points = Math.Clamp(MostPoints / distinct.Length, LeastPoints, SeriesReducer.Capacity);
        RunLog[] logs = [.. distinct.Select(run => RunLog.Read(run, points))];
        HashSet<string> shared = [.. logs.CountBy(log => log.Name).Where(count => count.Value > 1).Select(count => count.Key)];
        return [.. logs.Zip(distinct, (log, run) => shared.Contains(log.Name) ? log with { Name = run } : log)];
    }

    private static void Write(RunLog[] logs, string output, int refreshSeconds)
    {
        byte[] page = Encoding.UTF8.GetBytes(RunReportHtml.Of(logs, refreshSeconds));
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                PendingFile.WriteAll(output, page);
                return;
            }
            catch (RunFailedException) when (attempt < Attempts)
            {
                Thread.Sleep(BetweenAttempts);
            }
        }
    }
}
