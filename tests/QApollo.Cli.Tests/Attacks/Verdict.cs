namespace QApollo.Cli.Tests.Attacks;

/// <summary>What a call may not do, whatever it was given.</summary>
internal static class Verdict
{
    private const long MostBytes = 600L << 20;
    private const int LongestLine = 2000;

    /// <param name="command">The command's first word.</param>
    /// <returns>What is wrong; null if nothing.</returns>
    public static string? Of(string command, CallResult result)
    {
        // Generated text goes into a pipe as it is; a test of its own sees what a terminal gets.
        string all = command == "generate" && result.ExitCode == 0 ? result.Error : result.Output + result.Error;
        string[] lines = result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return true switch
        {
            _ when result.ExitCode is not (0 or 1 or 2) => $"exit code {result.ExitCode}",
            _ when all.Contains("   at ", StringComparison.Ordinal) => "a stack trace",
            _ when all.Contains("an error in the program", StringComparison.Ordinal) => "an error that nobody foresaw",
            _ when all.Any(character => char.IsControl(character) && character is not ('\n' or '\r' or '\t')) => "control characters",
            _ when result.ExitCode != 0 && lines.Length == 0 => "no message",
            _ when result.ExitCode == 1 && !lines[^1].StartsWith("qapollo: ", StringComparison.Ordinal) => "no message of its own",
            _ when result.ExitCode == 1 && lines.Count(line => line.StartsWith("qapollo: ", StringComparison.Ordinal)) > 1 => "more than a line",
            _ when lines.Any(line => line.Length > LongestLine) => "an endless line",
            _ when result.AllocatedBytes > MostBytes => $"{result.AllocatedBytes >> 20} MiB allocated",
            _ => null,
        };
    }
}
