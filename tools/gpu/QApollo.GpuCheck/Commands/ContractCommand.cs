using System.CommandLine;
using System.Diagnostics;
using QApollo.Devices;
using QApollo.GpuCheck.Contracts;

namespace QApollo.GpuCheck.Commands;

/// <summary>`qapollo-check contract`: every operation of a device against the binary64 oracles of the tests.</summary>
internal static class ContractCommand
{
    public static Command Create()
    {
        var device = DeviceOption.Create();
        var only = new Option<string>("--only") { Description = $"One contract: {string.Join(", ", DeviceContracts.All.Select(c => c.Name))}." };
        var perTheory = new Option<int>("--per-theory") { Description = "Stored cases of each theory, at most.", DefaultValueFactory = _ => int.MaxValue };
        var random = new Option<int>("--random") { Description = "Random shapes beside the stored ones, per theory.", DefaultValueFactory = _ => 0 };
        var largest = new Option<int>("--largest") { Description = "Largest dimension of a random shape.", DefaultValueFactory = _ => 400 };
        var seed = new Option<int>("--seed") { Description = "Of the random shapes.", DefaultValueFactory = _ => 1 };
        var command = new Command("contract", "Compare every operation with its oracle.") { device, only, perTheory, random, largest, seed };
        command.SetAction(parsed => Execute(
            parsed.GetValue(device)!,
            Select(parsed.GetValue(only)),
            contract => ContractCases.Of(
                contract, parsed.GetValue(perTheory), parsed.GetValue(random), new RandomShapes(parsed.GetValue(seed), parsed.GetValue(largest)))));
        return command;
    }

    private static IEnumerable<DeviceContractEntry> Select(string? name)
    {
        if (name is null)
        {
            return DeviceContracts.All;
        }

        DeviceContractEntry? entry = DeviceContracts.All.FirstOrDefault(contract => contract.Name == name);
        return entry is null ? throw new UsageException($"--only: there is no contract '{name}'") : [entry];
    }

    private static int Execute(string deviceText, IEnumerable<DeviceContractEntry> contracts, Func<DeviceContractEntry, IEnumerable<ContractCase>> casesOf)
    {
        using IDevice device = DeviceOption.Open(deviceText);
        var run = new ContractRun(device);
        long start = Stopwatch.GetTimestamp();
        foreach (DeviceContractEntry contract in contracts)
        {
            int before = run.Cases;
            foreach (ContractCase test in casesOf(contract).TakeWhile(_ => !run.IsStopped))
            {
                run.Run(test);
            }

            Console.Error.WriteLine($"{contract.Name}: {run.Cases - before} cases");
        }

        Report(run, Stopwatch.GetElapsedTime(start));
        return run.Failures.Count == 0 && run.Cases > 0 ? 0 : 1;
    }

    private static void Report(ContractRun run, TimeSpan time) => JsonReply.Write(json =>
    {
        json.WriteNumber("cases", run.Cases);
        json.WriteNumber("failed", run.Failures.Count);
        json.WriteBoolean("stopped", run.IsStopped);
        json.WriteNumber("seconds", Math.Round(time.TotalSeconds, 3));
        json.WriteStartArray("failures");
        foreach ((string test, string message) in run.Failures)
        {
            json.WriteStartObject();
            json.WriteString("case", test);
            json.WriteString("message", message);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });
}
