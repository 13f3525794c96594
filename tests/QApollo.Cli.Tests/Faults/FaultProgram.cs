using System.Globalization;

namespace QApollo.Cli.Tests.Faults;

/// <summary>Started with the file layer preloaded: rounds of faults, and what they found. The arguments are the library, the rounds and a seed.</summary>
internal static class FaultProgram
{
    private static int Main(string[] args)
    {
        using var tiny = new TinyRun();
        var rounds = new FaultRounds(new FaultLayer(args[0]), new WritingCommands(tiny), int.Parse(args[2], CultureInfo.InvariantCulture));
        rounds.Run(int.Parse(args[1], CultureInfo.InvariantCulture));
        rounds.Findings.ForEach(finding => Console.Out.WriteLine(finding.ReplaceLineEndings(" ").Replace(tiny.Folder, "~", StringComparison.Ordinal)));
        Console.Out.WriteLine(rounds.Summary);
        return rounds.Findings.Count == 0 ? 0 : 1;
    }
}
