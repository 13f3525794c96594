using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Xunit;

namespace QApollo.Cli.Tests;

/// <summary>What the documents for developers name is there, and the program's commands in them run.</summary>
public sealed partial class DocumentationTests
{
    private static readonly string Root = Path.GetFullPath(Path.Combine(Here(), "..", ".."));

    public static TheoryData<string> Documents =>
        ["docs/architecture.md", "docs/adding-an-operation.md", "docs/adding-a-model.md", "docs/release.md", "CONTRIBUTING.md", "CHANGELOG.md"];

    [Theory]
    [MemberData(nameof(Documents))]
    public void Files_that_a_document_names_exist(string document)
    {
        string text = File.ReadAllText(Path.Combine(Root, document));
        string folder = Path.GetDirectoryName(Path.Combine(Root, document))!;
        string[] missing =
        [
            .. Link().Matches(text).Select(match => match.Groups[1].Value).Where(link => !Path.Exists(Path.Combine(folder, link))),
            .. NamedPath().Matches(text).Select(match => match.Groups[1].Value).Where(path => !Exists(path)),
        ];
        Assert.Empty(missing);
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Commands_of_a_document_run(string document)
    {
        foreach (Match command in Command().Matches(File.ReadAllText(Path.Combine(Root, document))))
        {
            ProcessResult result = QApolloProcess.Run(command.Groups[1].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries));
            Assert.True(result.ExitCode == 0, $"{command.Value}: {result.Error}");
        }
    }

    /// <summary>Paths of the repository, and those that a document gives from the engine's folder.</summary>
    private static bool Exists(string path) =>
        path.Contains('*', StringComparison.Ordinal) || path.StartsWith("artifacts/", StringComparison.Ordinal)
        || Path.Exists(Path.Combine(Root, path)) || Path.Exists(Path.Combine(Root, "src", "QApollo", path));

    private static string Here([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;

    [GeneratedRegex(@"\]\(([^)#:]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"`((?:src|tests|tools|docs|Checkpoints|Devices|Models|Training|Runs|Reports)/[^` ]+)(?: [^`]*)?`")]
    private static partial Regex NamedPath();

    [GeneratedRegex(@"^qapollo ([^#\n]+)", RegexOptions.Multiline)]
    private static partial Regex Command();
}
