using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using QApollo.Cpu;
using QApollo.Cuda;
using QApollo.Data;
using QApollo.Training;
using Xunit;

namespace QApollo.Cli.Tests;

/// <summary>The program that shows the library works, and the documents show it as it is.</summary>
public class SampleTests
{
    [Fact]
    public void The_sample_trains_and_logs_the_norm_of_every_gradient()
    {
        using var tiny = new TinyRun();
        ProcessResult result = QApolloProcess.RunProgram("GradientNorms.dll", tiny.TextPath);

        Assert.True(result.ExitCode == 0, result.Error);
        MatchCollection steps = Regex.Matches(result.Output, @"^step (\d+): loss (\d+\.\d+), norm of the gradient [0-9.E-]+\r?$", RegexOptions.Multiline);
        double[] losses = [.. steps.Select(step => double.Parse(step.Groups[2].Value))];
        Assert.Equal(20, losses.Length);
        Assert.True(losses[^1] < losses[0] - 0.5, $"{losses[0]} to {losses[^1]}");
        Assert.Equal(20, Regex.Count(result.Output, @"^  model\.layers\.0\.self_attn\.q_proj\.weight: [0-9.E-]+\r?$", RegexOptions.Multiline));
    }

    [Fact]
    public void The_page_of_the_library_shows_the_sample_as_it_is()
    {
        string code = File.ReadAllText(Path.Combine(Root(), "samples", "GradientNorms", "Program.cs")).ReplaceLineEndings("\n");
        Assert.Contains($"```csharp\n{code}```", File.ReadAllText(Path.Combine(Root(), "docs", "library.md")).ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_namespace_and_every_type_that_the_page_of_namespaces_names_exists()
    {
        Type[] types =
        [
            .. new[] { typeof(Trainer), typeof(CpuDevice), typeof(CudaDevice), typeof(PreparedData), typeof(ExitCode) }.SelectMany(type => type.Assembly.GetTypes()),
        ];
        string page = File.ReadAllText(Path.Combine(Root(), "docs", "namespaces.md"));
        string[][] rows = [.. Regex.Matches(page, @"^\| (`QApollo.*?) \|.*\| (.*?) ?\|\r?$", RegexOptions.Multiline).Select(row => (string[])[row.Groups[1].Value, row.Groups[2].Value])];
        Assert.True(rows.Length > 15);
        var told = new HashSet<string>();
        foreach (string[] row in rows)
        {
            string[] names = Words(row[0]);
            told.UnionWith(names);
            Assert.All(names, name => Assert.Contains(types, type => type.Namespace == name));
            Assert.All(Words(row[1]), word => Assert.Contains(types, type => names.Contains(type.Namespace) && type.Name == word && type.IsPublic));
        }

        // Formats of tokenizers, and what a device is made of, are told with the namespace above them.
        string[] below = ["QApollo.Data.", "QApollo.Cpu.", "QApollo.Cuda.", "QApollo.Cli."];
        string[] untold = [.. types.Where(type => type.IsPublic).Select(type => type.Namespace!).Distinct().Where(name => !told.Contains(name) && !below.Any(name.StartsWith))];
        Assert.Empty(untold);
    }

    private static string[] Words(string cell) => [.. Regex.Matches(cell, "`([A-Za-z.0-9]+)`").Select(word => word.Groups[1].Value)];

    private static string Root([CallerFilePath] string path = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", ".."));
}
