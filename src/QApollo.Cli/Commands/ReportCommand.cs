using System.CommandLine;
using System.Diagnostics;
using System.Text;
using QApollo.Cli.Options;
using QApollo.Files;
using QApollo.Reports;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo report`: a page with the curves, options and samples of runs.</summary>
internal static class ReportCommand
{
    public const string PageName = "report.html";

    private static readonly TimeSpan LeastInterval = TimeSpan.FromSeconds(5);

    private static readonly OptionSpec<string> Output = Spec.Path(
        "--output", "Report", "The page to write.", "a path", null, $"{PageName} in the run's folder; of several runs, in the folder that you are in");

    private static readonly FlagSpec Follow = Spec.Flag("--follow", "Report", "Write the page again and again until no run goes on any more.", transient: true);

    public static Command Create()
    {
        var folders = new Argument<string[]>("run") { Description = "Folders of runs; several are drawn into the same curves.", Arity = ArgumentArity.OneOrMore };
        var command = new Command("report", "Write a page with the curves, options and samples of runs.");
        command.Arguments.Add(folders);
        var commandLine = new CommandLine(command, [Output, Follow, OutputFile.Force]);
        command.SetAction(parsed => Execute(commandLine.ReadOrThrow(parsed), parsed.GetValue(folders) ?? []));
        return command;
    }

    /// <summary>The page of one run, in its folder; its own earlier page is written over.</summary>
    /// <exception cref="RunFailedException">The run cannot be read, or the page not written.</exception>
    public static string WriteOwn(string folder)
    {
        string path = Path.Combine(folder, PageName);
        Write(path, [RunReport.Read(folder, mayBeEmpty: true) with { IsRunning = false }], refreshSeconds: 0);
        return path;
    }

    private static int Execute(OptionValues values, string[] folders)
    {
        OutputFile.Require(values, Output);
        string path = values.GetText(Output) ?? (folders.Length == 1 ? Path.Combine(folders[0], PageName) : PageName);
        bool follows = values.Get(Follow);
        RunReport[] runs = [.. folders.Select(folder => RunReport.Read(folder, follows))];
        using var interrupt = follows ? new InterruptSignal("stopping") : null;
        bool isTold = false;
        while (true)
        {
            var watch = Stopwatch.StartNew();
            bool goesOn = follows && runs.Any(run => run.IsRunning) && interrupt is { Token.IsCancellationRequested: false };

            // Long runs take longer to read: following them is to take a tenth of a processor at most.
            Write(path, runs, goesOn ? (int)LeastInterval.TotalSeconds : 0);
            if (!isTold || !goesOn)
            {
                Console.WriteLine(goesOn ? $"following, in {path}; Ctrl+C ends it" : $"wrote {path}");
                isTold = true;
            }

            if (!goesOn)
            {
                return ExitCode.Success;
            }

            interrupt!.Token.WaitHandle.WaitOne(watch.Elapsed * 10 > LeastInterval ? watch.Elapsed * 10 : LeastInterval);
            runs = [.. folders.Select(folder => RunReport.Read(folder, mayBeEmpty: true))];
        }
    }

    private static void Write(string path, IReadOnlyList<RunReport> runs, int refreshSeconds) =>
        PendingFile.WriteAll(path, Encoding.UTF8.GetBytes(RunReportHtml.ToHtml(runs, refreshSeconds)));
}
