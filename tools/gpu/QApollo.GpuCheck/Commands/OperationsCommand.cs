using System.CommandLine;
using System.Diagnostics;
using QApollo.Devices;
using QApollo.TestSupport.Contract;

namespace QApollo.GpuCheck.Commands;

/// <summary>`qapollo-check operations`: every operation once on small data, for tools that watch a program run.</summary>
internal static class OperationsCommand
{
    public static Command Create()
    {
        var device = DeviceOption.Create();
        var command = new Command("operations", "Run every operation once, unchecked: for compute-sanitizer and profilers.") { device };
        command.SetAction(parsed => Execute(parsed.GetValue(device)!));
        return command;
    }

    private static int Execute(string deviceText)
    {
        long start = Stopwatch.GetTimestamp();
        using IDevice device = DeviceOption.Open(deviceText);
        using var memory = new DeviceMemory(device);
        int operations = 0;
        foreach (Scenario scenario in Scenarios.All(device, memory))
        {
            scenario.Run();
            device.Synchronize();
            operations++;
        }

        JsonReply.Write(json =>
        {
            json.WriteNumber("operations", operations);
            json.WriteNumber("seconds", Math.Round(Stopwatch.GetElapsedTime(start).TotalSeconds, 3));
        });
        return 0;
    }
}
