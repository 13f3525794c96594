using System.CommandLine;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Xunit;

namespace QApollo.Cli.Tests;

/// <summary>What documents name is there; the program knows every command in them, and those of the developers' documents run.</summary>
public sealed partial class DocumentationTests
{
    private static readonly string Root = Path.GetFullPath(Path.Combine(Here(), "..", ".."));

    public static TheoryData<string> Documents =>
    [
        .. Directory.GetFiles(Root, "*.md").Concat(Directory.GetFiles(Path.Combine(Root, "docs"), "*.md"))
            .Select(file => Path.GetRelativePath(Root, file).Replace('\\', '/')).Order(StringComparer.Ordinal),
    ];

    public static TheoryData<string> OfDevelopers =>
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

    /// <summary>No option is misspelt or gone, no value out of range. Files, which a reader has to bring, are looked for later.</summary>
    [Theory]
    [MemberData(nameof(Documents))]
    public void Commands_of_a_document_are_known(string document)
    {
        RootCommand root = Program.CreateRoot();
        string text = File.ReadAllText(Path.Combine(Root, document));
        foreach (string command in (string[])
            [.. ProgramCommand().Matches(text).Select(match => match.Groups[1].Value), .. OptionsOfPlan().Matches(text).Select(match => $"plan {match.Groups[1].Value}")])
        {
            string[] words = [.. Word().Matches(command).Select(match => match.Value.Trim('"'))];
            ParseResult parsed = Program.Parse(root, words);
            Assert.True(parsed.Errors.Count == 0, $"qapollo {command}: {string.Join("; ", parsed.Errors)}");
            Assert.NotSame(root, parsed.CommandResult.Command);
        }
    }

    [Theory]
    [MemberData(nameof(OfDevelopers))]
    public void Commands_of_a_document_run(string document)
    {
        foreach (Match command in Command().Matches(File.ReadAllText(Path.Combine(Root, document))))
        {
            ProcessResult result = QApolloProcess.Run(command.Groups[1].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries));
            Assert.True(result.ExitCode == 0, $"{command.Value}: {result.Error}");
        }
    }

    public static TheoryData<string, string> PlansOfReadme
    {
        get
        {
            var plans = new TheoryData<string, string>();
            foreach (Match row in RowOfPlan().Matches(File.ReadAllText(Path.Combine(Root, "README.md"))))
            {
                plans.Add(row.Groups[1].Value, row.Groups[2].Value);
            }

            return plans;
        }
    }

    /// <summary>Device and host memory of a row are those that plan prints, and what is hidden behind the computation.</summary>
    [Theory]
    [MemberData(nameof(PlansOfReadme))]
    public void Figures_of_the_readme_are_those_of_plan(string figures, string options)
    {
        string[] shape = options.Contains("--batch-size", StringComparison.Ordinal) ? [] : ["--batch-size", "1", "--seq-len", "1024"];
        ProcessResult plan = QApolloProcess.Run(["plan", .. shape, .. options.Split(' ')]);
        Assert.True(plan.ExitCode == 0, plan.Error);
        string[] told = [.. Size().Matches(figures).Select(match => match.Value)];
        Assert.NotEmpty(told);
        Assert.Equal(told, Total().Matches(plan.Output).Select(match => match.Groups[1].Value).Take(told.Length));
        if (Hidden().Match(figures) is { Success: true } hidden)
        {
            Assert.Matches($@"RTX 4070 +PCIe [^\n]* GiB +{Regex.Escape(hidden.Groups[1].Value)} +{Regex.Escape(hidden.Groups[2].Value)} ", plan.Output);
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

    /// <summary>In a block or indented, perhaps behind mpirun or a prompt; the program's name or how it is started from the sources.</summary>
    [GeneratedRegex(@"^(?:    )?(?:mpirun [^#\n]*?)?(?:qapollo|dotnet run -c Release --project src/QApollo\.Cli --) (?![A-Z])([^#\n|>]+?)[ \\]*(?:[#|>].*)?$", RegexOptions.Multiline)]
    private static partial Regex ProgramCommand();

    /// <summary>The last cell of a table of plans.</summary>
    [GeneratedRegex(@"\| `(--model [^`]+)` \|\r?$", RegexOptions.Multiline)]
    private static partial Regex OptionsOfPlan();

    /// <summary>Its cells before the command.</summary>
    [GeneratedRegex(@"^\| L[^|]* \| (.*) \| `(--model [^`]+)` \|\r?$", RegexOptions.Multiline)]
    private static partial Regex RowOfPlan();

    [GeneratedRegex(@"[\d.]+ GiB")]
    private static partial Regex Size();

    [GeneratedRegex(@"([\d.]+) s beside ([\d.]+) s")]
    private static partial Regex Hidden();

    [GeneratedRegex(@"^ +total +[\d,]+ +([\d.]+ [KMG]iB)", RegexOptions.Multiline)]
    private static partial Regex Total();

    [GeneratedRegex("""
        "[^"]*"|[^ ]+
        """)]
    private static partial Regex Word();

    [GeneratedRegex(@"^qapollo ([^#\n]+)", RegexOptions.Multiline)]
    private static partial Regex Command();
}
