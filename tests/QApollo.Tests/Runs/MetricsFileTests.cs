using System.Text.Json;
using QApollo.Devices;
using QApollo.Runs;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Runs;

public sealed class MetricsFileTests : IDisposable
{
    private readonly TempFolder folder = new();

    private string Path => folder.File("metrics.jsonl");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Numbers_that_are_none_are_null()
    {
        using (var metrics = new MetricsFile(Path, completedSteps: 0))
        {
            metrics.WriteStep(new StepResult(1, double.NaN, float.PositiveInfinity, 5, double.NegativeInfinity, double.NaN), double.PositiveInfinity);
            metrics.WriteValidation(1, double.NaN);
            metrics.WriteStep(new StepResult(2, 0.5, 0.01f, 5, 1, 0.25), 7);
        }

        string[] lines = File.ReadAllLines(Path);
        using JsonDocument step = JsonDocument.Parse(lines[0]);
        Assert.All(
            (string[])["loss", "lr", "gradientNorm", "changedShare", "tokensPerSecond"],
            name => Assert.Equal(JsonValueKind.Null, step.RootElement.GetProperty(name).ValueKind));
        Assert.Equal("{\"step\":1,\"validationLoss\":null}", lines[1]);
        Assert.Contains("\"lr\":0.01,", lines[2], StringComparison.Ordinal);
    }

    [Fact]
    public void Sensors_are_written_as_far_as_they_are_known()
    {
        using (var metrics = new MetricsFile(Path, completedSteps: 0))
        {
            metrics.WriteStep(new StepResult(1, 0.5, 0.01f, 5, 1, 0.25), 7, new SensorReading(63, 212.50049, double.NaN, double.NaN, 12.3456));
        }

        Assert.EndsWith(",\"temperature\":63,\"power\":212.5,\"energy\":12.346}", Assert.Single(File.ReadAllLines(Path)), StringComparison.Ordinal);
    }

    [Fact]
    public void Only_lines_of_steps_that_are_done_stay()
    {
        File.WriteAllText(Path, "{\"step\":1}\n5\n[]\n\"x\"\n{\"step\":\"1\"}\n{\"step\":1e99}\n{}\n{\"\\ud800\":1}\n\n{\"step\":2}\n{\"step\":3}\n{\"st");
        new MetricsFile(Path, completedSteps: 2).Dispose();
        Assert.Equal(["{\"step\":1}", "{\"step\":2}"], File.ReadAllLines(Path));
    }

    [Fact]
    public void Lines_never_go_to_what_a_link_points_to()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        File.WriteAllText(folder.File("target"), "precious");
        File.CreateSymbolicLink(Path, folder.File("target"));
        using (var metrics = new MetricsFile(Path, completedSteps: 0))
        {
            metrics.WriteValidation(1, 2);
        }

        Assert.Equal("precious", File.ReadAllText(folder.File("target")));
        Assert.Single(File.ReadAllLines(Path));
    }
}
