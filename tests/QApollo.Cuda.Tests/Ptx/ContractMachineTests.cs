using System.Globalization;
using QApollo.GpuCheck.Contracts;
using Xunit;

namespace QApollo.Cuda.Tests.Ptx;

/// <summary>
/// Every contract on the PTX that ships, and how much of that PTX the contracts reach. The cases are those of the GPU check, so
/// what holds here is what a card will be asked.
/// </summary>
public sealed class ContractMachineTests
{
    /// <summary>Least shares of instructions that the contracts must reach, over all kernels and in each.</summary>
    private const double LeastOverall = 0.97;
    private const double LeastOfKernel = 0.90;

    /// <summary>Runs in front of cuBLASLt only, which the contracts do without.</summary>
    private const string NotReached = "expand";

    private static readonly Dictionary<string, ContractCase> s_cases = AllCases();
    private static readonly Dictionary<string, string?> s_outcomes = [];
    private static readonly ContractRun s_run = new(PtxMachine.Library.Open());

    public static TheoryData<string> Cases => [.. s_cases.Keys];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Contract_holds(string name) => Assert.Null(Outcome(name));

    [Fact]
    public void Contracts_reach_the_instructions()
    {
        foreach (string name in s_cases.Keys)
        {
            Outcome(name);
        }

        // Tests beside this one load changed texts, whose kernels are others of the same name.
        var launched = Driver.PtxTests.LaunchedKernels.Select(kernel => kernel.Name).ToHashSet();
        KernelReport[] kernels =
        [
            .. PtxMachine.Report().Where(kernel => launched.Contains(kernel.Kernel)).GroupBy(kernel => kernel.Kernel).Select(alike => alike.MaxBy(kernel => kernel.Reached)!),
        ];
        Assert.Equal(launched.Order(StringComparer.Ordinal), kernels.Select(kernel => kernel.Kernel).Order(StringComparer.Ordinal));
        var low = new List<string>();
        foreach (KernelReport kernel in kernels)
        {
            double share = kernel.Reached / (double)kernel.Code;
            if (share < LeastOfKernel && kernel.Kernel != NotReached)
            {
                low.Add(string.Create(CultureInfo.InvariantCulture, $"{kernel.Kernel}: {share:P1}, not lines {string.Join(' ', kernel.Unreached.Take(12))}"));
            }
        }

        double overall = kernels.Sum(kernel => kernel.Reached) / (double)kernels.Sum(kernel => kernel.Code);
        Assert.True(low.Count == 0 && overall >= LeastOverall, string.Create(CultureInfo.InvariantCulture, $"{overall:P2} overall\n{string.Join('\n', low)}"));
    }

    /// <summary>Null for success. A case runs once, whoever asks: the tests of a class do not run beside each other.</summary>
    private static string? Outcome(string name)
    {
        if (!s_outcomes.TryGetValue(name, out string? outcome))
        {
            int before = s_run.Failures.Count;
            s_run.Run(s_cases[name]);
            outcome = s_run.Failures.Count == before ? null : s_run.Failures[^1].Message;
            s_outcomes.Add(name, outcome);
        }

        return outcome;
    }

    private static Dictionary<string, ContractCase> AllCases()
    {
        var cases = new Dictionary<string, ContractCase>();
        foreach (DeviceContractEntry contract in DeviceContracts.All)
        {
            foreach (ContractCase test in ContractCases.Of(contract, int.MaxValue, random: 0, new RandomShapes(1, 1)))
            {
                cases.TryAdd(test.Name, test);
            }
        }

        return cases;
    }
}
