namespace QApollo.Cli.Views;

/// <summary>What stands before a run's first step.</summary>
/// <param name="Title">Model and device, on one line.</param>
/// <param name="MaxSteps">Updates of the whole run.</param>
/// <param name="PlannedBytes">Of the one device allocation.</param>
/// <param name="UsedBytes">Memory in use now: what the system says of the process.</param>
internal sealed record RunFacts(string Title, int MaxSteps, long PlannedBytes, Func<long> UsedBytes);
