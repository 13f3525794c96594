using System.Text.Json;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Cli.Tests.Commands;

public class ProfileCommandTests
{
    [Fact]
    public void The_demo_is_profiled_with_plan_and_measurement_side_by_side()
    {
        using var folder = new TempFolder();
        string page = folder.File("profile.html");
        string text = folder.File("profile.md");
        CliResult result = Cli.Run($"profile --batch-size 2 --seq-len 32 --grad-accum 2 --steps 5 --json --html \"{page}\" --markdown \"{text}\"");
        Assert.Equal(0, result.ExitCode);
        using var json = JsonDocument.Parse(result.Output);
        foreach (JsonProperty category in json.RootElement.GetProperty("measuredDevice").EnumerateObject())
        {
            Assert.Equal(category.Value.GetProperty("planned").GetInt64(), category.Value.GetProperty("measured").GetInt64());
        }

        Assert.Equal(0, json.RootElement.GetProperty("managedBytesPerStep").GetInt64());
        Assert.Contains("Planned and measured", File.ReadAllText(page), StringComparison.Ordinal);
        Assert.Contains("| tokens/s |", File.ReadAllText(text), StringComparison.Ordinal);
    }
}
