using System.Globalization;
using Xunit;
using Xunit.Abstractions;

namespace QApollo.Cli.Tests.Attacks;

/// <summary>
/// Damages one of the files that the program reads, and calls a command that meets it. Whatever the damage: an exit code of its
/// own, one clear line, no stack trace, no hang, no growth, nothing that steers a terminal, nothing half-written.
/// QAPOLLO_ATTACKS sets the number of cases, QAPOLLO_ATTACK_SEED the first one's seed; each case is one seed.
/// </summary>
[Collection(ConsoleCollection.Name)]
public class AttackTests(ITestOutputHelper log)
{
    private const int DefaultAttacks = 150;

    [Fact]
    public void Damaged_files_end_in_one_clear_line()
    {
        int attacks = Setting("QAPOLLO_ATTACKS", DefaultAttacks);
        int firstSeed = Setting("QAPOLLO_ATTACK_SEED", 1);
        using var fixture = new AttackFixture();
        var faults = new List<string>();
        var endings = new SortedDictionary<int, int>();
        for (int seed = firstSeed; seed < firstSeed + attacks; seed++)
        {
            (int exitCode, string? fault) = Attack(fixture, seed);
            endings[exitCode] = endings.GetValueOrDefault(exitCode) + 1;
            if (fault is not null)
            {
                faults.Add(fault);
                log.WriteLine(fault);
            }
        }

        string summary = $"{attacks} attacks: {string.Join(", ", endings.Select(ending => $"{ending.Value} ended with {ending.Key}"))}";
        log.WriteLine(summary);
        Assert.True(faults.Count == 0, $"{summary}; {faults.Count} wrong:\n{string.Join("\n", faults.Take(40))}");
    }

    /// <returns>The exit code, and what was wrong; null if nothing.</returns>
    private static (int ExitCode, string? Fault) Attack(AttackFixture fixture, int seed)
    {
        var random = new Random(seed);
        string folder = Directory.CreateTempSubdirectory("qapollo-attack-").FullName;
        try
        {
            Copy(fixture.Folder, folder);
            (string file, string[] command) = fixture.Targets[random.Next(fixture.Targets.Count)];
            string done = Mutation.Apply(Path.Combine(folder, file), random);
            if (file.Contains("step-", StringComparison.Ordinal) && !file.EndsWith("complete.json", StringComparison.Ordinal)
                && new FileInfo(Path.Combine(folder, file)) is { Exists: true, LinkTarget: null, Length: > 0 } && random.Next(2) == 0)
            {
                AttackFixture.Reseal(Path.GetDirectoryName(Path.Combine(folder, file))!);
                done += ", checksums renewed";
            }

            // Names in run.json are full ones, of the fixture.
            string[] arguments = [.. command.Select(word => File.Exists(Path.Combine(folder, word)) || Directory.Exists(Path.Combine(folder, word)) || IsOutput(word) ? Path.Combine(folder, word) : word)];
            CallResult result = InProcess.Run(arguments);
            string? fault = Judge(command[0], result, folder);
            return (result.ExitCode, fault is null ? null : $"seed {seed}: {file}: {done}: {string.Join(' ', command)}: {fault}\n  {result.Error.ReplaceLineEndings("\n  ")}");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static bool IsOutput(string word) => word is "new" or "new.json" or "new-shards";

    private static string? Judge(string command, CallResult result, string folder) =>
        Verdict.Of(command, result)
        ?? Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories).Where(IsLeftover).Select(path => $"left {Path.GetFileName(path)}").FirstOrDefault();

    private static bool IsLeftover(string path) =>
        path.EndsWith(".tmp", StringComparison.Ordinal) || path.EndsWith(".partial", StringComparison.Ordinal) || path.EndsWith(".lock", StringComparison.Ordinal);

    private static void Copy(string from, string to)
    {
        foreach (string folder in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
        {
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, folder)));
        }

        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            File.Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)));
        }
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : otherwise;
}
