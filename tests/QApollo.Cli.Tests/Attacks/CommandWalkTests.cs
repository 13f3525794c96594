using System.CommandLine;
using System.Diagnostics;
using Xunit;
using Xunit.Abstractions;

namespace QApollo.Cli.Tests.Attacks;

/// <summary>
/// Every command with every of its options, each with values that nobody should give: with two of them in turn, or with all
/// where QAPOLLO_WALK is "all" (3,000 calls).
/// </summary>
[Collection(ConsoleCollection.Name)]
public class CommandWalkTests(ITestOutputHelper log)
{
    private static readonly string[] Values =
        ["", "-1", "0", "1", "2147483647", "9223372036854775807", "1e308", "NaN", "\u001b[2J\u0007", "a\nb", "zero", "pipe", "deep.json", "bad.json", "empty.txt", "model", "."];

    /// <summary>Options that any large value makes the work long by, rightly.</summary>
    private static readonly string[] Long = ["--max-steps", "--steps", "--max-tokens", "--vocab-size"];

    /// <summary>What a command needs to have something to do.</summary>
    private static readonly Dictionary<string, string[]> Arguments = new()
    {
        ["train"] = ["--model", "config.json", "--data", "text.txt", "--output-dir", "new", "--cache-dir", "cache", "--max-steps", "1", "--batch-size", "1", "--seq-len", "16", "--budget", "64MiB"],
        ["generate"] = ["--checkpoint", "run", "--prompt", "ab", "--max-tokens", "2"],
        ["eval"] = ["--checkpoint", "run", "--data", "text.txt", "--cache-dir", "cache", "--max-tokens", "32"],
        ["data prepare"] = ["--data", "text.txt", "--cache-dir", "cache"],
        ["tokenizer train"] = ["--data", "text.txt", "--output", "new.json", "--vocab-size", "270"],
        // Never the user's own cache.
        ["cache list"] = ["--cache-dir", "cache"],
        ["cache clean"] = ["--cache-dir", "cache"],
        ["plan"] = ["--model", "config.json", "--seq-len", "16"],
        ["profile"] = ["--model", "config.json", "--steps", "1", "--batch-size", "1", "--seq-len", "16", "--budget", "64MiB"],
        ["bench"] = ["--model", "config.json", "--steps", "1", "--batch-size", "1", "--seq-len", "16", "--budget", "64MiB"],
    };

    [Fact]
    public void No_value_of_an_option_ends_in_a_stack_trace()
    {
        using var fixture = new AttackFixture();
        if (!OperatingSystem.IsWindows())
        {
            File.CreateSymbolicLink(Path.Combine(fixture.Folder, "zero"), "/dev/zero");
            using var made = Process.Start("mkfifo", [Path.Combine(fixture.Folder, "pipe")]);
            made.WaitForExit();
        }

        File.WriteAllText(Path.Combine(fixture.Folder, "deep.json"), "{\"a\":" + new string('[', 100_000));
        File.WriteAllBytes(Path.Combine(fixture.Folder, "bad.json"), [.. "{\"seed\":\""u8, 0xFF, .. "\"}"u8]);
        File.WriteAllText(Path.Combine(fixture.Folder, "empty.txt"), string.Empty);
        var faults = new List<string>();
        bool isWhole = Environment.GetEnvironmentVariable("QAPOLLO_WALK") == "all";
        int calls = 0;
        int turn = 0;
        foreach ((string name, string option) in Options(Program.CreateRoot()))
        {
            string[] own = [.. Arguments.GetValueOrDefault(name, []).Select(fixture.In)];
            turn++;
            string[] some = isWhole ? Values : [Values[turn % Values.Length], Values[(turn + 8) % Values.Length]];
            foreach (string value in some.Where(value => value.Length < 2 || !Long.Contains(option)))
            {
                string[] arguments = [.. name.Split(' '), .. Without(own, option), option, fixture.In(value)];
                var watch = Stopwatch.StartNew();
                CallResult result = InProcess.Run(arguments);
                calls++;
                if (Verdict.Of(arguments[0], result) is { } fault)
                {
                    faults.Add($"{string.Join(' ', arguments)}: {fault}\n{result.Error}");
                }

                fixture.RemoveNew();
            }
        }

        log.WriteLine($"{calls} calls");
        Assert.True(calls > 250, $"only {calls} calls");
        Assert.True(faults.Count == 0, $"{faults.Count} of {calls} wrong:\n{string.Join("\n", faults.Take(40))}");
    }

    /// <summary>The commands that do something, each with each of its options.</summary>
    private static IEnumerable<(string Command, string Option)> Options(Command root, string path = "")
    {
        foreach (Command command in root.Subcommands)
        {
            string name = $"{path} {command.Name}".Trim();
            foreach (Option option in command.Options.Where(option => command.Action is not null && option.Name.StartsWith("--", StringComparison.Ordinal)))
            {
                yield return (name, option.Name);
            }

            foreach ((string, string) inner in Options(command, name))
            {
                yield return inner;
            }
        }
    }

    private static string[] Without(string[] arguments, string option)
    {
        int at = Array.IndexOf(arguments, option);
        return at < 0 ? arguments : [.. arguments[..at], .. arguments[(at + 2)..]];
    }
}
