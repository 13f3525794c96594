using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Xunit;

namespace QApollo.Tests;

/// <summary>The engine's folders depend in one direction only, and the engine on no package.</summary>
public sealed partial class FolderDependencyTests
{
    /// <summary>A folder uses those before it, never those after it. The root's own files (errors, contracts of texts) may be used by all.</summary>
    private static readonly string[] Order =
    [
        "Files", "Batches", "Quantization", "Devices", "Collectives", "Memory", "Models", "Optimizers", "Checkpoints", "Inference", "Training", "Runs", "Reports",
        "Benchmarks", "Diagnostics",
    ];

    private static readonly string Engine = Path.GetFullPath(Path.Combine(SourceFolder(), "..", "..", "src", "QApollo"));

    public static TheoryData<string> Folders => [.. Order];

    [Fact]
    public void Every_folder_of_the_engine_has_its_place() =>
        Assert.Equal(
            Order.Order(StringComparer.Ordinal),
            Directory.EnumerateDirectories(Engine).Select(folder => Path.GetFileName(folder)).Where(name => name is not ("bin" or "obj")).Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Folders))]
    public void A_folder_uses_only_folders_before_it(string folder)
    {
        int place = Array.IndexOf(Order, folder);
        var wrong = new List<string>();
        foreach (string path in Directory.EnumerateFiles(Path.Combine(Engine, folder), "*.cs", SearchOption.AllDirectories))
        {
            foreach (string used in UsedFolders(File.ReadAllText(path)))
            {
                if (Array.IndexOf(Order, used) > place)
                {
                    wrong.Add($"{Path.GetRelativePath(Engine, path)} uses {used}");
                }
            }
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void The_reader_of_usings_sees_every_form()
    {
        Assert.Equal(["Memory"], UsedFolders("using QApollo.Memory;"));
        Assert.Equal(["Training"], UsedFolders("using QApollo.Training.Planning;"));
        Assert.Equal(["Devices"], UsedFolders("using T = QApollo.Devices.Tensor;"));
        Assert.Equal(["Reports"], UsedFolders("new Reports.SvgChart()"));
        Assert.Empty(UsedFolders("options.Memory.Weights; Layout.Training.X; using QApollo.Datasets;"));
    }

    [Fact]
    public void The_engine_references_no_package_and_no_other_project()
    {
        string project = File.ReadAllText(Path.Combine(Engine, "QApollo.csproj"));
        Assert.DoesNotContain("PackageReference", project, StringComparison.Ordinal);
        Assert.DoesNotContain("ProjectReference", project, StringComparison.Ordinal);
    }

    private static IEnumerable<string> UsedFolders(string source) =>
        Use().Matches(source).Select(match => match.Groups["folder"].Value).Where(Order.Contains).Distinct();

    /// <summary>A namespace behind `QApollo.`, or in front of a type where no dot leads to it.</summary>
    [GeneratedRegex(@"(\bQApollo\.|(?<![\w.])(?=[A-Z]\w*\.[A-Z]))(?<folder>[A-Z]\w*)")]
    private static partial Regex Use();

    private static string SourceFolder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
