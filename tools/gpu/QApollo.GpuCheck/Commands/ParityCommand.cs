using System.CommandLine;
using System.Text.Json;
using QApollo.Devices;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit.Sdk;

namespace QApollo.GpuCheck.Commands;

/// <summary>`qapollo-check parity`: trains tiny models on a device and holds each step against the CPU's, stored before.</summary>
internal static class ParityCommand
{
    public const string DefaultFile = "tools/gpu/parity-losses.json";

    public static Command Create()
    {
        var device = DeviceOption.Create();
        var losses = new Option<string>("--losses") { Description = "What `losses` wrote.", DefaultValueFactory = _ => DefaultFile };
        var only = new Option<string>("--only") { Description = "Courses whose name begins so; all by default.", DefaultValueFactory = _ => string.Empty };
        var command = new Command("parity", "Train on the device as on the CPU.") { device, losses, only };
        command.SetAction(parsed => Execute(parsed.GetValue(device)!, parsed.GetValue(losses)!, parsed.GetValue(only)!));
        return command;
    }

    private static int Execute(string deviceText, string lossesFile, string only)
    {
        using JsonDocument stored = JsonDocument.Parse(File.ReadAllBytes(lossesFile));
        ParityCourse[] courses = [.. ParityCourse.All.Where(course => course.Name.StartsWith(only, StringComparison.Ordinal))];
        List<(string Course, double WorstLoss, string? Failure)> results = [];
        foreach (ParityCourse course in courses)
        {
            using IDevice device = DeviceOption.Open(deviceText);
            results.Add(Compare(course, device, Read(stored.RootElement.GetProperty(course.Name))));
            Console.Error.WriteLine($"{course.Name}: {results[^1].Failure ?? $"within {results[^1].WorstLoss:E1} of the stored losses"}");
        }

        Report(results);
        return results.Count > 0 && results.All(result => result.Failure is null) ? 0 : 1;
    }

    private static (string Course, double WorstLoss, string? Failure) Compare(ParityCourse course, IDevice device, StepResult[] expected)
    {
        double worst = double.PositiveInfinity;
        try
        {
            IReadOnlyList<StepResult> actual = course.Train(device);
            worst = actual.Zip(expected, (a, e) => Math.Abs(a.Loss - e.Loss) / e.Loss).Max();
            ParityCourse.AssertFollows(actual, expected);
            return (course.Name, worst, null);
        }
        catch (Exception exception) when (exception is XunitException or RunFailedException)
        {
            return (course.Name, worst, exception.Message.ReplaceLineEndings(" "));
        }
    }

    private static StepResult[] Read(JsonElement steps) =>
    [
        .. steps.EnumerateArray().Select((step, index) => new StepResult(
            index + 1, step.GetProperty("loss").GetDouble(), (float)ParityCourse.LearningRate, step.GetProperty("tokens").GetInt32(),
            step.GetProperty("gradientNorm").GetDouble(), step.GetProperty("changedShare").GetDouble())),
    ];

    private static void Report(List<(string Course, double WorstLoss, string? Failure)> results) => JsonReply.Write(json =>
    {
        json.WriteNumber("courses", results.Count);
        json.WriteNumber("failed", results.Count(result => result.Failure is not null));
        double worst = results.Select(result => result.WorstLoss).DefaultIfEmpty(double.NaN).Max();
        if (double.IsFinite(worst))
        {
            json.WriteNumber("worstLossDifference", worst);
        }

        json.WriteNumber("tolerance", ParityCourse.LossTolerance);
        json.WriteStartArray("failures");
        foreach ((string course, _, string? failure) in results.Where(result => result.Failure is not null))
        {
            json.WriteStringValue($"{course}: {failure}");
        }

        json.WriteEndArray();
    });
}
