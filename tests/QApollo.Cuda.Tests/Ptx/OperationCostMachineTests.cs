using System.Globalization;
using QApollo.Devices;
using QApollo.GpuCheck.Commands;
using QApollo.Reports;
using QApollo.TestSupport.Contract;
using QApollo.TestSupport.Costs;
using Xunit;

namespace QApollo.Cuda.Tests.Ptx;

/// <summary>
/// What the shipped PTX does for each operation of a step, counted by the machine that runs it, is what the program's table says:
/// predictions follow the kernels. `QAPOLLO_WRITE_COSTS=1` writes the table instead.
/// </summary>
public class OperationCostMachineTests
{
    /// <summary>Enough to see an instruction come or go.</summary>
    private const string Digits = "G6";

    private static string TablePath => Path.Combine(Repository.Root, "src", "QApollo", "Reports", "operation-costs.json");

    [Fact]
    public void Table_of_costs_is_what_the_kernels_do()
    {
        string counted = OperationCosts.Write(Count());
        if (Environment.GetEnvironmentVariable("QAPOLLO_WRITE_COSTS") == "1")
        {
            File.WriteAllText(TablePath, counted);
        }

        string committed = File.ReadAllText(TablePath).ReplaceLineEndings("\n");
        Assert.True(
            committed == counted,
            $"operation-costs.json differs from what the kernels do; write it with QAPOLLO_WRITE_COSTS=1 and dotnet test --filter {nameof(OperationCostMachineTests)}\n{counted}");
    }

    /// <summary>The check of a real GPU times the same cases.</summary>
    [Fact]
    public void The_gpu_check_times_every_case()
    {
        using CudaDevice cuda = PtxMachine.Library.Open();
        Assert.Equal(OperationCosts.All.Count, CostsCommand.Time(cuda, slice: true).Count);
    }

    private static List<OperationCost> Count()
    {
        using CudaDevice cuda = PtxMachine.Library.Open();
        using var memory = new DeviceMemory(cuda);
        var work = new LastWork();
        using var device = new TracingDevice(cuda.Profile, work, cuda);
        List<OperationCost> costs = [];
        foreach (Scenario scenario in CostCases.All(device, memory, slice: true))
        {
            cuda.Synchronize();
            LaunchCounts before = PtxMachine.CountsOfThread();
            scenario.Run();
            cuda.Synchronize();
            costs.Add(PerUnit(PtxMachine.CountsOfThread() - before, work.Work));
        }

        return costs;
    }

    private static OperationCost PerUnit(LaunchCounts counts, in OperationWork work)
    {
        double units = work.Kind is WorkKind.Product or WorkKind.Attention ? work.Flops : work.Bytes;
        return new OperationCost(
            work.Operation, work.Form, Round(counts.Mma * OperationCost.MmaFlops / units), Round(counts.Instructions / units),
            Round(counts.Wavefronts / units), Round(counts.LeastWavefronts / units), Round(counts.Sectors / units), Round(counts.LeastSectors / units));
    }

    private static double Round(double value) => double.Parse(value.ToString(Digits, CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
}
