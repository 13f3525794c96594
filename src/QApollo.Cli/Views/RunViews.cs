namespace QApollo.Cli.Views;

/// <summary>Chooses how a run is shown: live on a terminal, plain lines elsewhere or when asked for.</summary>
internal static class RunViews
{
    public static IRunView Create(RunFacts facts, bool plain, bool quiet)
    {
        // A full disk under a log is no reason to lose a run. Its last line, which tells the end, is another matter.
        var lines = new LastingWriter(Console.Out, isTerminal: false, exception => Console.Error.WriteLine(
            $"warning: standard output cannot be written: {exception.Message}: the run goes on, without its lines"));
        if (quiet)
        {
            return new QuietView(lines);
        }

        // A terminal that cannot move its cursor gets plain lines, too.
        return plain || Console.IsOutputRedirected || !Terminal.Ansi.Profile.Capabilities.Ansi
            ? new PlainView(lines, facts.MaxSteps)
            : new LiveView(facts, Terminal.Ansi);
    }
}
