using System.CommandLine;
using QApollo.Cli.Options;
using QApollo.Cli.Tests.Attacks;
using QApollo.Cli.Views;
using Xunit;

namespace QApollo.Cli.Tests.Views;

/// <summary>The help: whole, in groups, no wider than the terminal.</summary>
[Collection(ConsoleCollection.Name)]
public class HelpTextTests
{
    [Theory]
    [InlineData(20)]
    [InlineData(60)]
    [InlineData(79)]
    [InlineData(110)]
    public void Every_command_has_all_its_options_in_lines_that_fit(int width)
    {
        RootCommand root = Program.CreateRoot();
        foreach ((Command command, string path) in All(root, "qapollo"))
        {
            string help = HelpText.Of(command, path, root.Options.Where(option => option.Recursive), width);
            string[] lines = help.Split('\n');
            Assert.All(lines, line => Assert.True(line.Length <= width || !line.Trim().Contains(' ', StringComparison.Ordinal) || IsNameOrUsage(line), line));
            Assert.All(command.Options.OfType<IDeclaredOption>(), option => Assert.Single(lines, line => IsRow(line, option.Spec.Name)));
            Assert.All(command.Options.OfType<IDeclaredOption>().Select(option => option.Spec.Group).Distinct(), group => Assert.Single(lines, line => line == group));
            Assert.Single(lines, line => IsRow(line, "--verbose"));
        }
    }

    [Theory]
    [InlineData("train")]
    [InlineData("data prepare")]
    [InlineData("")]
    public void The_help_command_tells_the_same_as_the_option(string words)
    {
        string[] command = words.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        CallResult help = InProcess.Run(["help", .. command]);
        Assert.Equal(0, help.ExitCode);
        Assert.Equal(InProcess.Run([.. command, "--help"]).Output, help.Output);
        Assert.StartsWith($"Usage: {$"qapollo {words}".Trim()} ", help.Output.Split('\n').First(line => line.StartsWith("Usage", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public void Help_for_what_is_no_command_names_the_nearest()
    {
        CallResult result = InProcess.Run("help", "trian");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("did you mean train?", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_version_command_tells_the_same_as_the_option()
    {
        CallResult version = InProcess.Run("version");
        Assert.Equal(0, version.ExitCode);
        Assert.Equal(QApolloProcess.Run("--version").Output, version.Output);
        Assert.Matches(@"^\d+\.\d+", version.Output);
    }

    private static bool IsNameOrUsage(string line) => line.StartsWith("Usage:", StringComparison.Ordinal) || (line.StartsWith("  ", StringComparison.Ordinal) && line.TrimStart()[0] == '-');

    private static bool IsRow(string line, string name) =>
        line.StartsWith("  -", StringComparison.Ordinal) && line.Trim().Split("  ")[0].Split(' ', ',').Contains(name);

    private static IEnumerable<(Command Command, string Path)> All(Command command, string path) =>
        command.Subcommands.SelectMany(sub => All(sub, $"{path} {sub.Name}")).Prepend((command, path));
}
