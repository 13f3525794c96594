namespace QApollo.Cli.Views;

/// <summary>Chooses how a run is shown: live on a terminal, plain lines elsewhere or when asked for.</summary>
internal static class RunViews
{
    public static IRunView Create(RunFacts facts, bool plain, bool quiet)
    {
        if (quiet)
        {
            return new QuietView(Console.Out);
        }

        // A terminal that cannot move its cursor gets plain lines, too.
        return plain || Console.IsOutputRedirected || !Terminal.Ansi.Profile.Capabilities.Ansi
            ? new PlainView(Console.Out, facts.MaxSteps)
            : new LiveView(facts, Terminal.Ansi);
    }
}
